#!/usr/bin/env bash
# Tests under AddressSanitizer and UndefinedBehaviorSanitizer: the kernels and the emulator as g++ compiles them, then the engine for
# processors as a nightly Rust compiles it (left out, with its reason, where there is none). docs/sanitizers.md says what that covers.
# ETNAS_SANITIZED_TARGET (default target/sanitizers) holds the builds.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${ETNAS_SANITIZED_TARGET:-$PWD/target/sanitizers}
host=$(rustc -vV | sed -n 's/^host: //p')
runner=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<< "$host")_RUNNER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Leaks are left out: drivers and their contexts live as long as the process.
asan=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0
start=$(date +%s)
minutes() { echo "$(($(date +%s) - start)) s so far"; }

echo "== C++: kernels and emulator under address,undefined"
library=$("${CXX:-g++}" -print-file-name=libasan.so)
if [ "$library" = libasan.so ]; then
    echo "SKIPPED: C++ under sanitizers: ${CXX:-g++} has no libasan."
else
    (
        export EMULATOR_SANITIZE=address,undefined CARGO_TARGET_DIR=$target CARGO_PROFILE_TEST_OPT_LEVEL=1
        # For the tests alone, not for cargo and the compilers.
        export "$runner=env LD_PRELOAD=$(realpath "$library") ASAN_OPTIONS=$asan UBSAN_OPTIONS=print_stacktrace=1"
        cargo test --locked --quiet --package etnas-emulator --test sanitizers -- --exact --ignored mistakes_are_reported
        cargo test --locked --quiet --package etnas-emulator
    )
    minutes
fi

echo "== Rust: the engine for processors under address"
if ! reason=$(cargo +nightly --version 2>&1); then
    echo "SKIPPED: Rust under AddressSanitizer: no nightly toolchain (${reason##*$'\n'})"
    exit 0
fi
# It must find an access out of bounds before its silence means anything.
cat > "$work/wrong.rs" <<'RUST'
fn main() {
    let numbers = vec![1u8; std::env::args().count() + 6];
    println!("{}", unsafe { *numbers.as_ptr().add(numbers.len()) });
}
RUST
rustc +nightly -Zsanitizer=address --target "$host" -o "$work/wrong" "$work/wrong.rs"
if "$work/wrong" > "$work/report" 2>&1 || ! grep -q heap-buffer-overflow "$work/report"; then
    echo "AddressSanitizer did not report a read behind a vector:" >&2
    cat "$work/report" >&2
    exit 1
fi
# The tests below launch no kernels, and no kernel is compiled for them: that would take longer than they do.
mkdir -p "$target"
cat > "$target/no-kernels" <<'SH'
#!/bin/sh
for word; do
    [ "$before" = -o ] && output=$word
    before=$word
done
case " $* " in
*" -c "*) exec "$REAL_CXX" -c -x c++ /dev/null -o "$output" ;;
*" -S "*) exec "$REAL_CXX" -S -x c++ /dev/null -o "$output" ;;
*) exec "$REAL_CXX" "$@" ;;
esac
SH
chmod +x "$target/no-kernels"
export REAL_CXX=${CXX:-g++} CXX=$target/no-kernels
export RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=$asan:detect_stack_use_after_return=1 CARGO_TARGET_DIR=$target/rust CARGO_PROFILE_TEST_OPT_LEVEL=1
rust() { cargo +nightly test --locked --quiet --target "$host" --package etnas "$@"; }
rust --lib -- cpu::
rust --test golden_cpu -- small medium
# Left out, as they take minutes each or had not ended after nine: those that compute most in f64, which is code without `unsafe`. The golden files go through the
# same kernels.
f64=(
    slopes_rank_as_in_f64 synflow_agrees_with_the_reference training_agrees_with_the_reference
    the_whole_network_agrees sums_agree_with_the_reference
)
rust --test cpu --test synflow -- "${f64[@]/#/--skip=}"
minutes
