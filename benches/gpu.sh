#!/usr/bin/env bash
# Proves and times the engine on a card, and writes one JSON file. Needs a driver and Python; nothing is fetched and nothing compiled.
#
#   benches/gpu.sh [-o FILE] [--binary PROGRAM] [--seconds LIMIT] [--small] [--steps LIST]
#
# PROGRAM is target/release/etnas-fast unless given: on a machine without Rust, bring it along. The JSON has the card, the comparison of
# all measures with the processor, timings, and PyTorch beside them if it can be imported there, else why not. --small is for trying
# the script where a card is emulated.
set -euo pipefail
exec python3 "$(dirname "$0")/gpu.py" "$@"
