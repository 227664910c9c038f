# The commands of this project: `make` alone lists them.
#
# V8 comes as an archive, looked for in this order: RUSTY_V8_ARCHIVE or RUSTY_V8_MIRROR if set, a `shared/v8` folder
# beside the checkout (.cargo/config.toml says so to plain cargo, too), the user's cache, the v8 crate's own download.

CARGO ?= cargo
V8_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nano/v8

ifeq ($(RUSTY_V8_ARCHIVE)$(RUSTY_V8_MIRROR)$(wildcard ../shared/v8),)
ifneq ($(wildcard $(V8_CACHE)/librusty_v8_*),)
export RUSTY_V8_MIRROR := $(V8_CACHE)
export RUSTY_V8_MIRROR_FALLBACK := 1
endif
endif

.DEFAULT_GOAL := help
.PHONY: help run build test bench fmt lint

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## serve the examples with nano.kdl.example
	target/release/nano --config nano.kdl.example

build: ## build target/release/nano
	$(CARGO) build --release --locked

test: ## run every test
	$(CARGO) test --locked

bench: build ## compare with workerd, Deno, Bun and Node on this machine
	bench/run

fmt: ## format the code
	$(CARGO) fmt

lint: ## check format and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
