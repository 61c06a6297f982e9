# The few commands a newcomer needs. Each installs what it lacks.

.PHONY: help demo test check bench fuzz postgres

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

bench: ## what a statement costs the proxy
	cargo bench --quiet --package pgwarrant-benches

fuzz: ## fuzz what reads an attacker's bytes, 30 minutes a target (SECONDS=n changes that)
	@tests/bin/fuzz $(or $(SECONDS),1800)

postgres: ## install PostgreSQL's programs where they are missing
	@tests/bin/install postgres
