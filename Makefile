# `make help` prints every target.

.DEFAULT_GOAL := help
.PHONY: help run demo test check bench bench-large order crash

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: ## build and start on http://127.0.0.1:8080 with SQLite in ./data (LISTEN=127.0.0.1:9000 for another address)
	@deploy/run.sh

demo: ## the service, a sample site and a stand-in of Rocket.Chat together, on loopback
	@deploy/demo.sh

test: ## everything: both databases, real clients, a real browser; fails if anything is skipped
	@tests/run.sh

check: ## formatting, lints, documentation, licences and bans
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	cargo test --locked -p propusk-tests --test suite -- deploy::dependencies
	if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi

bench: ## speed and memory, as ratios to floors measured in the same run
	@tests/bench/run.sh

bench-large: ## the same on 100,000 users and 1,000,000 grants
	@tests/bench/run.sh --large

order: ## record which functions a start runs, after the compiler or a dependency was changed (memory)
	@tests/bench/order.sh

crash: ## kill -9 under load, 1,000 rounds
	@tests/crash/run.sh --rounds 1000
