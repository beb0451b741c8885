# Thin: scripts/bootstrap installs what is missing, CMake's presets say how things are built.
SHELL := bash
SLAYER := build/release/bin/slayer

.PHONY: help build demo study test bench parity fuzz soak asan format lint clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

build: setup-build build/release/build.ninja ## Build build/release/bin/slayer
	cmake --build --preset release --target slayer

demo: build setup-demo ## Do the main job on a real model: about 12 minutes on 2 cores
	$(SLAYER) run recipes/demo.toml --out runs/demo

study: build setup-study ## Compare the methods on three domains (half a day on 2 cores; HOURS=2 does a part of it)
	python3 scripts/study --docs docs/study $(if $(HOURS),--hours $(HOURS))

test: setup-build build/release/build.ninja ## Build and run all tests
	cmake --build --preset release
	ctest --preset release

asan: setup-build build/asan/build.ninja ## Tests of the torch-free modules under sanitizers
	cmake --build --preset asan
	ctest --preset asan

bench: setup-bench build/release/build.ninja ## Compare speed and memory with the peers (an hour, on a quiet machine)
	cmake --build --preset release --target slayer encode_main
	for script in bench/*_bench.py; do echo "== $$script"; .venv-parity/bin/python "$$script" || exit; done

parity: setup-parity build/release/build.ninja ## Compare results with the peers
	cmake --build --preset release --target slayer encode_main logits_main
	for script in tests/parity/*.py; do echo "== $$script"; .venv-parity/bin/python "$$script" || exit; done

fuzz: setup-fuzz build/fuzz/build.ninja ## Run each fuzz target for 60 seconds (Clang)
	cmake --build --preset fuzz
	scripts/fuzz 60

soak: test asan fuzz ## The long campaigns: sanitizers, fuzzing, kills
	ctest --preset release -C soak -L soak

format: setup-lint ## Format all sources
	scripts/lint --fix

lint: setup-lint build/tidy/build.ninja ## Check formatting, and changed files with clang-tidy
	scripts/lint

clean: ## Remove what was built (not .venv, .cache and runs)
	rm -rf build

setup-%:
	@scripts/bootstrap $*

build/%/build.ninja: CMakePresets.json | setup-build
	cmake --preset $*
