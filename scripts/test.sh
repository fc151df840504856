#!/usr/bin/env bash
# The whole suite. Tests start the servers they need on free ports and stop them.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
swift build --build-tests
# One test at a time: many start servers and processes and wait for them, which side by side starves the rest of two cores.
exec timeout -k 30 2400 swift test --skip-build --no-parallel "$@"
