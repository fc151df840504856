#!/usr/bin/env bash
# Fuzzes what reads bytes of outside, guided by coverage (libFuzzer, part of the Swift toolchain).
#   fuzz.sh [SECONDS] [TARGET…]   each target for so long (default 60 s), all targets by default; their names are in Tests/Fuzz/FuzzTargets.swift
# What breaks a target is left in .build/fuzz/crashes, what reaches new code in .build/fuzz/corpus; both are used again.
# A second look at one input: FUZZ_TARGET=json .build/fuzz/fuzz FILE
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}; shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^    "\([a-z-]*\)": {.*/\1/p' Tests/Fuzz/FuzzTargets.swift)
build=.build/fuzz

# A debug build, which has every check of bounds and overflow, with libFuzzer's counters in every module; its runtime is in the program only.
SLUICE_FUZZ=1 swift build --build-path "$build" --product Fuzz -Xswiftc -Xfrontend -Xswiftc -sanitize=fuzzer
echo '// libFuzzer brings main().' >"$build/main.swift"
swiftc -sanitize=fuzzer -parse-as-library "$build/main.swift" -o "$build/fuzz" -L "$build/debug" -lFuzz -Xlinker -rpath -Xlinker "$PWD/$build/debug"

failed=0
for target in "${targets[@]}"; do
  mkdir -p "$build/corpus/$target" "$build/crashes"
  seed=Tests/Fuzz/Seeds/$target
  [ "$target" = time-zone ] && seed=/usr/share/zoneinfo/Europe/Berlin
  [ -f "$seed" ] && cp "$seed" "$build/corpus/$target/seed"
  echo "fuzz: $target for $seconds s"
  FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no "$build/fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/crashes/$target-" "$build/corpus/$target" >"$build/$target.log" 2>&1 || { failed=1; echo "fuzz: $target FAILED, see $build/$target.log"; }
  grep -E 'number_of_executed_units|^#.*cov:' "$build/$target.log" | tail -2
done
exit $failed
