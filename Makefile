# The few commands a newcomer needs. Each installs what it lacks.

.PHONY: help demo test check bench soak fuzz postgres

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST)

demo: postgres ## try pgwarrant on a throwaway PostgreSQL full of sample data; Ctrl-C ends it
	cargo build --release --package pgwarrant
	@exec target/release/pgwarrant demo --config proxy.toml

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

bench: ## what pgwarrant costs beside a bare splice and other proxies (QUICK=1: in 3 minutes)
	@tests/bin/install bench
	cargo build --release --package pgwarrant --package pgwarrant-benches
	cargo bench --quiet --package pgwarrant-benches -- --warm-up-time $(if $(QUICK),0.1,1) \
		--measurement-time $(if $(QUICK),0.2,3) --sample-size $(if $(QUICK),10,50)
	@target/release/compare $(if $(QUICK),--quick) --criterion target/criterion

soak: postgres ## ten minutes of 500 busy and 5,000 idle clients, while grants come and go
	cargo build --release --package pgwarrant --package pgwarrant-benches
	@target/release/compare soak

fuzz: ## fuzz what reads an attacker's bytes, 30 minutes a target (SECONDS=n changes that)
	@tests/bin/fuzz $(or $(SECONDS),1800)

postgres: ## install PostgreSQL's programs where they are missing
	@tests/bin/install postgres
