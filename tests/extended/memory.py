#!/usr/bin/env python3
"""Peak memory of a sweep of 2,000 small-batch cells with every measure, after 500 cells and at its end: memory.py PATH-OF-etnas-fast.

tests/faults does the same for naswot and LogSynflow; LossSlope's trainings take longer than a test may.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

CELLS, EARLY, SLACK_MB = 2000, 500, 8


def peak_mb(process):
    """The most that was resident so far (VmHWM); None where the process is gone."""
    try:
        text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else None


def main():
    with tempfile.TemporaryDirectory() as folder:
        # The dearest cells first, so that the working memory of any cell is taken early.
        counted = pathlib.Path(folder, "counted.jsonl")
        base = [sys.argv[1], "score", "--dataset", "imagenet16-120", "--format", "jsonl", "--quiet"]
        subprocess.run([*base, "--sample", str(CELLS), "--measures", "macs", "-o", counted], check=True)
        cells = sorted(map(json.loads, counted.open()), key=lambda record: -record["macs"])
        scores = pathlib.Path(folder, "scores.jsonl")
        measures = "naswot,log-synflow,synflow,degree,loss-slope,params,macs"
        command = [*base, "-", "--batch", "2", "--measures", measures, "-o", scores]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        process.stdin.write("".join(f"{record['index']}\n" for record in cells))
        process.stdin.close()
        early = last = None
        while process.poll() is None:
            last = peak_mb(process) or last
            if early is None and scores.exists() and scores.read_bytes().count(b"\n") >= EARLY:
                early = last
            time.sleep(0.02)
        assert process.returncode == 0, process.returncode
        assert scores.read_bytes().count(b"\n") == CELLS
        print(f"{early:.0f} MB at most after {EARLY} cells, {last:.0f} MB after {CELLS}")
        assert last - early < SLACK_MB, (early, last)


main()
