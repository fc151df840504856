#!/usr/bin/env bash
# Measures what docs/benchmarks.md shows, prints the table and writes the page. ROWS and RUNS may be set; the page says what they were.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --static-swift-stdlib --product parquet-benchmark
swift build -c release --static-swift-stdlib --product csv-benchmark
exec .venv/bin/python Benchmarks/bench.py "$@"
