.DEFAULT_GOAL := help
.PHONY: help setup build run test bench lint format clean
SOURCES := Sources Tests Benchmarks Package.swift

help: ## print the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## install what is missing (Debian packages, Python environment)
	@scripts/setup.sh test

build: ## build the release binary, .build/release/sluice
	@scripts/setup.sh build
	swift build -c release --static-swift-stdlib --product sluice

run: build ## PostgreSQL to a Parquet lake, on this machine, until Ctrl-C
	@scripts/run.sh

test: ## run the whole suite
	@scripts/setup.sh test
	@scripts/test.sh

bench: setup build ## measure, print the table, write docs/benchmarks.md
	@Benchmarks/run.sh

lint: ## check formatting
	swift format lint --strict --recursive --parallel $(SOURCES)

format: ## format the sources
	swift format --in-place --recursive --parallel $(SOURCES)

clean: ## remove what was built and the demo's data
	rm -rf .build .run
