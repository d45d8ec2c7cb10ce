# `make` lists what there is. The two that matter: `make demo` and `make test`; each does all of its own set-up.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help demo test lint audit restores bench setup toolchain

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A demo directory holds keys and a database and is never written over: the next free name is taken.
demo: toolchain ## build Custos and play the whole story in demo/, then keep serving (Ctrl-C ends it)
	@cargo build --release --locked --package custos --package custody-verify
	@dir=demo; n=2; while [ -e "$$dir" ]; do dir="demo-$$n"; n=$$((n + 1)); done; \
	if [ "$$dir" != demo ]; then echo "demo/ is there already and stays as it is; this one goes to $$dir/" >&2; fi; \
	exec cargo run --release --locked --quiet --package custos --bin custos -- demo --dir "$$dir"

test: setup lint ## set up, lint and run every test on both database engines
	cargo test --workspace --locked

lint: toolchain ## formatting, clippy without warnings, samples as their script makes them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	python3 samples/make.py --check

# Apart from `test` because building cargo-deny takes minutes.
audit: toolchain ## licences, advisories, bans and sources of all dependencies (deny.toml)
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny@0.20.2 --locked
	cargo deny --workspace check

# The tests' three rounds a pair of engines, twenty times instead: some minutes.
restores: setup ## copy a vault under load, wipe, restore and compare bundles, 20 times for each pair of engines
	CUSTOS_TEST_RESTORES=20 cargo test --locked --package custos --test it -- ops::backup --nocapture

bench: toolchain ## measure against the yardsticks, one table
	bench/setup.sh
	bench/run

setup: ## install what the tests need (Debian packages, a Python tool in target/)
	tests/setup.sh

toolchain:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust with rustup, then run this again" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: install gcc or clang, then run this again" >&2; exit 1; }
