#!/usr/bin/env bash
# Fuzzes every target, or those named, one after the other, and says how many files each ran: fuzz/run.sh [SECONDS [TARGET…]]
# Needs cargo-fuzz and a nightly toolchain. Ends with 1 if a target found a fault; the file that shows it is in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-120}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's|^path = "fuzz_targets/\(.*\)\.rs"|\1|p' Cargo.toml)

toolchain=${FUZZ_TOOLCHAIN:-nightly}
# Every run writes its input to a file: memory is quicker than a disk.
[ -d /dev/shm ] && [ -w /dev/shm ] && export TMPDIR=/dev/shm
cargo "+$toolchain" fuzz build --fuzz-dir . --sanitizer none

failed=0
for target in "${targets[@]}"; do
    # A table of one column has 125 kB.
    most=8192
    [ "$target" = tables ] && most=140000
    log=$(mktemp)
    mkdir -p "corpus/$target"
    export FUZZ_SEEDS="$PWD/corpus/$target"
    nice cargo "+$toolchain" fuzz run --fuzz-dir . --sanitizer none "$target" -- -max_total_time="$seconds" -max_len="$most" \
        -rss_limit_mb=2048 -timeout=20 -dict=words.dict -print_final_stats=1 -verbosity=1 >"$log" 2>&1 || failed=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    corners=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
    echo "$target: ${runs:-none} files in $seconds s, ${corners:-cov: none}"
    grep -E 'panicked at|SUMMARY|Test unit written' -A2 "$log" | head -8 || true
    rm -f "$log"
done
exit $failed
