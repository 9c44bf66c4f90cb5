# framecast: `make run` shows it working, `make test` checks all of it. `make help` lists the rest.
# Nothing is installed or cached outside this folder and Cargo's and npm's own places, except the
# programs that the tests need, which `make test` installs where they are missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Options of the server for `make run`, such as ARGS="--view-addr 0.0.0.0:8081"; of the benchmark for
# `make bench`, such as ARGS="fanout --rounds 1".
ARGS ?=
# Features of the server for `make bench-micro`, such as FEATURES=turbojpeg.
FEATURES ?=
MICRO_FEATURES = $(addprefix --features framecast/,$(FEATURES))
# Where `make run` keeps the cameras that are set up: in this folder, as nothing of it goes elsewhere.
FRAMECAST_DATA_DIR ?= data

PAGES := web-shared capture-web viewer-web embed-web
PAGE_SOURCES = $(shell find $(PAGES) \( -name dist -o -name node_modules \) -prune -o -type f -print) \
	package.json scripts/compress.mjs scripts/check-size.mjs
PAGE_DISTS := capture-web/dist/index.html viewer-web/dist/index.html embed-web/dist/embed.html
# Inside node_modules, as what they stand for is worth nothing without it.
NPM_STAMP := node_modules/.framecast-installed
PEERS_STAMP := benches/peers/node_modules/.framecast-installed
PAGES_STAMP := node_modules/.framecast-pages-built

step = @printf '\n== %s\n' "$(1)"

.PHONY: help run build test bench bench-micro clean tools test-tools FORCE
FORCE:

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build everything, then serve the pages and two test cameras on this machine
	$(call step,Running)
	@FRAMECAST_DATA_DIR="$(FRAMECAST_DATA_DIR)" exec "$(TARGET)/release/framecast" demo $(ARGS)

build: tools $(PAGES_STAMP) ## Build the release binary, pages included
	$(call step,Building the server)
	@cargo build --release --locked

test: tools test-tools $(PAGES_STAMP) ## Check everything: format, lints, Rust, pages, browser
	$(call step,Format)
	@cargo fmt --all --check
	$(call step,Pages: types)
	@npm run typecheck
	$(call step,Pages: lints)
	@npm run lint
	$(call step,Pages: unit tests)
	@npm test
	$(call step,Rust: lints)
	@cargo clippy --locked --package framecast --package framecast-bench --all-targets -- -D warnings
	$(call step,Rust: tests)
	@cargo test --locked --package framecast --package framecast-bench
	$(call step,Rust: scaling with libjpeg-turbo instead)
	@cargo test --locked --package framecast --package framecast-bench --features framecast/turbojpeg --lib media::
	$(call step,Browser: the pages against the server that the Rust tests built)
	@FRAMECAST_BIN="$$(cd "$(TARGET)" && pwd)/debug/framecast" npm run test:browser
	$(call step,All checks passed)

bench: build $(PEERS_STAMP) ## Measure speed and memory against the floor, and write docs/performance.md
	$(call step,Building the benchmark)
	@cargo build --release --locked --package framecast --package framecast-bench
	$(call step,Measuring)
	@"$(TARGET)/release/framecast-bench" --results "$(TARGET)/bench" --document docs/performance.md $(ARGS)

bench-micro: tools $(PAGES_STAMP) ## Measure the hot paths one by one, or those with ARGS in their names
	$(call step,Measuring)
	@cargo bench --locked --package framecast-micro $(MICRO_FEATURES) -- $(ARGS)

clean: ## Remove everything that was built
	rm -rf node_modules benches/peers/node_modules $(addsuffix /dist,$(PAGES)) $(addsuffix /node_modules,$(PAGES))
	@if command -v cargo >/dev/null; then cargo clean; fi

# What building needs; says what to install.
tools:
	@scripts/check-tools.sh

# What the tests need besides; installs it with apt-get where it is missing.
test-tools:
	$(call step,Programs that the tests use)
	@scripts/install-test-tools.sh

$(NPM_STAMP): package.json package-lock.json $(addsuffix /package.json,$(PAGES)) | tools
	$(call step,Installing the pages' packages)
	@npm ci --no-audit --no-fund
	@touch $@

$(PEERS_STAMP): benches/peers/package.json benches/peers/package-lock.json | tools
	$(call step,Installing what is measured beside the server)
	@cd benches/peers && npm ci --no-audit --no-fund
	@touch $@

# A dist folder that was removed by hand is missed by no stamp.
$(PAGES_STAMP): $(NPM_STAMP) $(PAGE_SOURCES) $(foreach d,$(PAGE_DISTS),$(if $(wildcard $(d)),,FORCE))
	$(call step,Building the pages)
	@npm run build
	@touch $@
