# The commands of this project: `make` alone lists them.
#
# V8 comes as an archive. `make v8` sees to it that there is one, and every target that runs cargo begins with it;
# v8/build says where it looks and when it compiles one.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run build test bench soak wpt fmt lint v8

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## serve the examples with nano.kdl.example
	target/release/nano --config nano.kdl.example

build: v8 ## build target/release/nano
	$(CARGO) build --release --locked

test: v8 ## run every test
	$(CARGO) test --locked

bench: build ## compare with workerd, Deno, Bun and Node on this machine
	bench/run

soak: build ## five minutes of mixed load: every answer right, nothing grows
	bench/soak

wpt: build ## run Web Platform Tests: WPT_DIR=FOLDER names a checkout of them
	tests/wpt/run --save

fmt: ## format the code
	$(CARGO) fmt

lint: v8 ## check format and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

v8: ## fetch or compile V8, once for this user
	@if command -v python3 >/dev/null; then v8/build; \
	else echo "v8: python3 is not installed: leaving V8 to the v8 crate's own download" >&2; fi
