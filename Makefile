# The few commands a newcomer needs. Each installs what it lacks.

.PHONY: help demo release test check bench soak fuzz postgres

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST)

demo: postgres ## try pgwarrant on a throwaway PostgreSQL full of sample data; Ctrl-C ends it
	cargo build --release --package pgwarrant
	@exec target/release/pgwarrant demo --config proxy.toml

release: postgres ## build target/release/pgwarrant for production, optimised by a profile of a training run
	@tests/bin/release

test: postgres ## run every test, real PostgreSQL servers and drivers included
	@tests/bin/install tests
	@command -v cargo-nextest >/dev/null || tests/bin/install checks
	cargo build --package pgwarrant
	cargo run --quiet --package pgwarrant-tests --bin with-postgres -- cargo nextest run --workspace --no-fail-fast

check: ## formatting, lints with warnings denied, dependencies
	@tests/bin/install checks
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo fetch --quiet --locked
	cargo deny --offline check bans licenses sources
	@tests/bin/advisories

# Of Criterion's part.
BRIEFLY := --warm-up-time 0.1 --measurement-time 0.1 --sample-size 10 --noplot --nresamples 1000

bench: release ## what pgwarrant costs beside a bare splice and other proxies (QUICK=1: in 3 minutes)
	@tests/bin/install bench
	RUSTFLAGS="$$(cat target/profiling/flags 2>/dev/null)" cargo bench --quiet --package pgwarrant-benches -- \
		$(if $(QUICK),$(BRIEFLY),--warm-up-time 1 --measurement-time 3 --sample-size 50)
	@target/release/compare $(if $(QUICK),--quick --rounds 1) --criterion target/criterion

soak: release ## ten minutes of 500 busy and 5,000 idle clients, while grants come and go
	@target/release/compare soak

fuzz: ## fuzz what reads an attacker's bytes, 30 minutes a target (SECONDS=n changes that)
	@tests/bin/fuzz $(or $(SECONDS),1800)

postgres: ## install PostgreSQL's programs where they are missing
	@tests/bin/install postgres
