"""Where the time goes on a card: every launch of one chunk under Nsight Compute, summed up by kernel.

    python benches/profile.py [-o FILE] [--launches FILE] [--binary PROGRAM] [--measures LIST] [--cells N]

Needs a card, its driver, and `ncu` with the right to read counters. Clocks stay as they are. For each kernel: launches, its share of all time,
microseconds a cell, bytes that crossed the card's memory, the rate of that, and how busy memory and arithmetic were at best. Nsight Compute empties
caches before each launch and lets one launch run at a time, so the sum is above what `etnas-fast bench` measures; the shares are what to read.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIME, READ, WRITTEN = "gpu__time_duration.sum", "dram__bytes_read.sum", "dram__bytes_write.sum"
MEMORY = "dram__throughput.avg.pct_of_peak_sustained_elapsed"
ISSUE = "smsp__issue_active.avg.pct_of_peak_sustained_elapsed"
# Of a launch; Nsight Compute gives them with the rest.
GRID, SHARED = "launch__grid_size", "launch__shared_mem_per_block_dynamic"
METRICS = [TIME, READ, WRITTEN, MEMORY, ISSUE, GRID, SHARED]
# A training is thousands of launches that repeat each step: the first tells.
MOST_LAUNCHES = {"loss-slope": 850}


def number(text):
    return float(text.replace(",", ""))


def launches(binary, measure, cells, limit):
    """Rows of Nsight Compute's table, one for each launch: kernel and its metrics in base units."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "ncu.csv")
        command = ["ncu", "--clock-control", "none", "--metrics", ",".join(METRICS), "--page", "raw", "--csv", "--print-units", "base"]
        command += ["--log-file", str(log)]
        if measure in MOST_LAUNCHES:
            command += ["--launch-count", str(MOST_LAUNCHES[measure])]
        command += [binary, "score", "--sample", str(cells), "--chunk", str(cells), "--measures", measure, "--device", "cuda", "--quiet"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"Nsight Compute did not end within {limit:.0f} s.")
        lines = [line for line in log.read_text().splitlines() if line.startswith('"')] if log.exists() else []
        if done.returncode != 0 or len(lines) < 3:
            said = log.read_text()[-1500:] if log.exists() else ""
            raise RuntimeError(f"Nsight Compute ended with {done.returncode}: {(done.stderr + said).strip()[-2000:]}")
    # The second line gives units.
    return [row for row in csv.DictReader([lines[0], *lines[2:]])]


def table(rows, cells):
    kernels = defaultdict(lambda: defaultdict(float))
    for row in rows:
        sums = kernels[row["Kernel Name"].split("(")[0]]
        seconds = number(row[TIME]) * 1e-9
        sums["launches"] += 1
        sums["seconds"] += seconds
        sums["bytes"] += number(row[READ]) + number(row[WRITTEN])
        for key, metric in (("memory", MEMORY), ("issue", ISSUE)):
            sums[key] += seconds * number(row[metric])
    whole = sum(sums["seconds"] for sums in kernels.values())
    lines = [f"{'kernel':28} {'launches':>8} {'share':>6} {'µs/cell':>9} {'MB/cell':>9} {'GB/s':>6} {'memory':>7} {'issue':>6}"]
    for name, sums in sorted(kernels.items(), key=lambda pair: -pair[1]["seconds"]):
        seconds = sums["seconds"]
        lines.append(
            f"{name:28} {sums['launches']:8.0f} {100 * seconds / whole:5.1f}% {1e6 * seconds / cells:9.2f} {sums['bytes'] / 1e6 / cells:9.3f} "
            f"{sums['bytes'] / 1e9 / seconds:6.0f} {sums['memory'] / seconds:6.0f}% {sums['issue'] / seconds:5.0f}%"
        )
    count, size = sum(s["launches"] for s in kernels.values()), sum(s["bytes"] for s in kernels.values())
    lines.append(f"{'all':28} {count:8.0f} 100.0% {1e6 * whole / cells:9.2f} {size / 1e6 / cells:9.3f} {size / 1e9 / whole:6.0f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("profile.txt"), help="the table")
    parser.add_argument("--launches", type=Path, help="also write every launch, as CSV")
    parser.add_argument("--binary", default=str(ROOT / "target/release/etnas-fast"), help="the program etnas-fast")
    parser.add_argument("--measures", default="naswot,log-synflow,loss-slope", help="which, with commas between")
    parser.add_argument("--cells", type=int, default=200, help="cells of the chunk")
    parser.add_argument("--seconds", type=float, default=120.0, help="the limit of time for each measure")
    options = parser.parse_args()
    texts, every, failed = [], [["measure", "kernel", *METRICS]], False
    for measure in options.measures.split(","):
        start = time.perf_counter()
        try:
            rows = launches(options.binary, measure, options.cells, options.seconds)
            every += [[measure, row["Kernel Name"].split("(")[0], *(number(row[metric]) for metric in METRICS)] for row in rows]
            most = " (its first launches)" if measure in MOST_LAUNCHES else ""
            texts.append(f"{measure}, a chunk of {options.cells} cells{most}\n{table(rows, options.cells)}\n")
        except (RuntimeError, OSError, KeyError, ValueError) as error:
            failed = True
            texts.append(f"{measure}: {error}\n")
        print(f"{measure}: {time.perf_counter() - start:.1f} s", flush=True)
        options.output.write_text("\n".join(texts))
        if options.launches:
            with options.launches.open("w", newline="") as file:
                csv.writer(file).writerows(every)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
