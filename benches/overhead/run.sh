#!/usr/bin/env bash
# What one call costs beside its cells, through every door: Rust, C, serve, and Python where the package is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release --locked --quiet -p etnas -p etnas-c
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo bench --locked --quiet --bench overhead
gcc -O2 benches/overhead/c.c -Icapi/include -L"$target" -letnas_c -o "$work/c"
LD_LIBRARY_PATH=$target "$work/c"
python3 benches/overhead/serve.py "$target/etnas-fast"
if python3 -c "import etnas" 2>/dev/null; then
    python3 benches/overhead/python.py
else
    echo "Python: not measured, as the package is not installed (pip install ./python)."
fi
