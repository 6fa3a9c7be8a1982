"""What benches/gpu.sh runs: correctness on a card against the processor, then timings, then PyTorch, within a limit of time."""

import argparse
import json
import math
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# How far a score on a card may be from the processor's, relative: f32 sums in another order flip a sign bit now and then.
TOLERANCES = {"naswot": 1e-3, "log_synflow": 1e-5, "synflow": 1e-5, "degree": 0.0, "params": 0.0}
# With operands of 11 bits, naswot's order is compared, not its value.
ROUGH = ("f16", "tf32")
LEAST_TAU = 0.95
# LossSlope is chaotic in f32 (docs/cuda-engine.md): over enough cells, card and processor may differ by at most this part of what another draw
# moves a slope (medians), and the card's order must be nearer to the processor's than to that of another draw. A wrong gradient moves slopes
# as another draw does. Of random samples of 200 cells, the largest part was 0.12; of 40 cells 0.26.
PART_OF_DRAW = 0.25
OTHER_DRAW = ["--weight-seed", "101", "--target-seed", "102", "--noise-seed", "103"]


class Stopwatch:
    """Time since the begin, and how much is left."""

    def __init__(self, limit):
        self.begin, self.limit = time.perf_counter(), limit

    def left(self):
        return self.limit - (time.perf_counter() - self.begin)


class Program:
    """etnas-fast on one device."""

    def __init__(self, binary, watch, common):
        self.binary, self.watch, self.common = binary, watch, common

    def run(self, arguments, device=None):
        """Standard output and seconds."""
        chosen = ["--device", device] if device else []
        command = [self.binary, *arguments, *(self.common if device else []), *chosen]
        start = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, self.watch.left()))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"`{' '.join(arguments)}` on {device} did not end in the time that was left.")
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise RuntimeError(f"`{' '.join(arguments)}` on {device} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout, seconds

    def score(self, device, cells, measures, more=()):
        text, seconds = self.run(["score", *cells, "--measures", measures, "--format", "jsonl", "--quiet", *more], device)
        return [json.loads(line) for line in text.splitlines()], seconds


def kendall(a, b):
    agree = disagree = 0
    for i in range(len(a)):
        for j in range(i):
            order = (a[i] - a[j]) * (b[i] - b[j])
            agree, disagree = agree + (order > 0), disagree + (order < 0)
    return (agree - disagree) / max(1, agree + disagree)


def correctness(program, count, precision):
    """Scores of the same cells on card and processor, compared. A disagreement is an entry of `wrong`."""
    cells, more = ["--sample", str(count)], ["--precision", precision] if precision else []
    measures = "naswot,log-synflow,synflow,degree,params"
    card, _ = program.score("cuda", cells, measures, more)
    processor, _ = program.score("cpu", cells, measures)
    again, _ = program.score("cuda", cells, measures, more + ["--chunk", "3"])
    worst, wrong = {}, []
    rough = precision in ROUGH
    for ours, theirs in zip(card, processor):
        for key, tolerance in TOLERANCES.items():
            a, b = ours[key], theirs[key]
            if a is None or b is None or b == 0:
                off = 0.0 if a == b else math.inf
            else:
                off = abs(a - b) / abs(b)
            worst[key] = max(worst.get(key, 0.0), off)
            if off > tolerance and not (rough and key == "naswot"):
                wrong.append({"index": ours["index"], "measure": key, "card": a, "processor": b})
    if rough:
        known = [(o["naswot"], t["naswot"]) for o, t in zip(card, processor) if None not in (o["naswot"], t["naswot"])]
        tau = kendall(*zip(*known)) if len(known) > 1 else 1.0
        if len(known) < len(card) or tau < LEAST_TAU:
            wrong.append({"measure": "naswot", "tau": tau, "known": len(known), "of": len(card)})
    if again != card:
        wrong.append({"measure": "all", "found": "chunks of 3 give other scores"})
    return {"cells": len(card), "precision": precision or "default", "worst": worst, "wrong": wrong}


def loss_slopes(program, count, precision):
    """How far the card's slopes are from the processor's, and from its own of another draw: medians and orders."""
    cells, more = ["--sample", str(count)], ["--precision", precision] if precision else []
    card, _ = program.score("cuda", cells, "loss-slope", more)
    processor, _ = program.score("cpu", cells, "loss-slope")
    again, _ = program.score("cuda", cells, "loss-slope", more + ["--chunk", "7"])
    other, _ = program.score("cuda", cells, "loss-slope", more + OTHER_DRAW)
    ours, theirs, drawn = ([row["loss_slope"] for row in rows] for rows in (card, processor, other))
    found, wrong = {"cells": count, "precision": precision or "default"}, []
    if any(value is None for values in (ours, theirs, drawn) for value in values):
        wrong.append({"measure": "loss_slope", "found": "a training on the card, the processor or of another draw diverged"})
    else:
        for name, values in (("", theirs), ("_of_draws", drawn)):
            found["median" + name] = statistics.median(abs(a - b) for a, b in zip(ours, values))
            found["tau" + name] = kendall(ours, values)
        # Operands of 11 bits round as coarsely as a small draw: their order alone is compared.
        far = precision not in ROUGH and found["median"] > PART_OF_DRAW * found["median_of_draws"]
        # A few cells have no order to speak of.
        if far or (count >= 100 and found["tau"] <= found["tau_of_draws"]):
            wrong.append({"measure": "loss_slope", **found})
    if again != card:
        wrong.append({"measure": "loss_slope", "found": "chunks of 7 give other scores"})
    return {**found, "wrong": wrong}


def sweep(program, cells, measure, more=()):
    """Seconds of a whole process over cells, as a user has them."""
    records, seconds = program.score("cuda", cells, measure, more)
    return {"cells": len(records), "seconds": seconds, "ms_per_cell": 1e3 * seconds / len(records)}


def searches(program, runs):
    _, seconds = program.run(["search", "--runs", str(runs), "--format", "json", "--quiet"], "cuda")
    return {"runs": runs, "seconds": seconds}


def bench(program, count):
    arguments = ["bench", "--measures", "naswot,log-synflow,loss-slope", "--cells", str(count), "--repeats", "3"]
    text, _ = program.run([*arguments, "--format", "json", "--quiet"], "cuda")
    return json.loads(text)["measures"]


def pytorch(binary, watch, small):
    """PyTorch's loop over cells on the same card, by benches/peers/run.py; or why it is not there."""
    try:
        import torch
    except Exception as error:
        return {"absent": f"torch cannot be imported: {error}"}
    if not torch.cuda.is_available():
        return {"absent": "torch finds no card"}
    with tempfile.TemporaryDirectory() as folder:
        cells, output = Path(folder, "cells.txt"), Path(folder, "peers.json")
        lines = (HERE / "peers/cells.txt").read_text().splitlines()
        cells.write_text("\n".join(lines[: 3 if small else 10]) + "\n")
        command = [sys.executable, str(HERE / "peers/run.py"), "--device", "cuda", "--rounds", "1" if small else "3"]
        command += ["--binary", binary, "--cells", str(cells), "-o", str(output)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, watch.left()))
        except subprocess.TimeoutExpired:
            return {"absent": "the time was up before PyTorch had ended"}
        if done.returncode != 0:
            return {"absent": f"the comparison ended with {done.returncode}: {done.stderr.strip()[-2000:]}"}
        return json.loads(output.read_text())


def smi():
    """What nvidia-smi says of the card, if it is there."""
    if not shutil.which("nvidia-smi"):
        return None
    query = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit"
    done = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv"], capture_output=True, text=True)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("gpu.json"), help="the JSON file")
    parser.add_argument("--binary", default=str(ROOT / "target/release/etnas-fast"), help="the program etnas-fast")
    parser.add_argument("--seconds", type=float, default=450.0, help="the limit of time")
    parser.add_argument("--small", action="store_true", help="small images and few cells, for an emulated card")
    parser.add_argument("--steps", help="only these, with commas between [default: all]")
    options = parser.parse_args()
    watch = Stopwatch(options.seconds)
    if not Path(options.binary).is_file():
        sys.exit(f"There is no program {options.binary}: run cargo build --release, or give --binary.")
    small = options.small
    common = ["--dataset", "imagenet16-120", "--data", "noise", "--batch", "4"] if small else []
    program = Program(options.binary, watch, common)
    report = {"platform": platform.platform(), "nvidia_smi": smi(), "steps": {}, "failures": {}}
    report["devices"] = program.run(["devices"])[0].splitlines()
    report["version"] = program.run(["--version"])[0].strip()

    steps = {
        "correctness": lambda: correctness(program, 3 if small else 40, None),
        "correctness_f32": lambda: correctness(program, 2 if small else 20, "f32"),
        "correctness_f16": lambda: correctness(program, 2 if small else 20, "f16"),
        "slopes": lambda: loss_slopes(program, 3 if small else 200, None),
        "slopes_f32": lambda: loss_slopes(program, 2 if small else 100, "f32"),
        "slopes_f16": lambda: loss_slopes(program, 2 if small else 100, "f16"),
        "bench": lambda: bench(program, 1 if small else 200),
        "whole_space_log_synflow": lambda: sweep(program, ["--sample", "3"] if small else ["--all"], "log-synflow"),
        "whole_space_naswot": lambda: sweep(program, ["--sample", "2"] if small else ["--all"], "naswot"),
        "whole_space_naswot_f16": lambda: sweep(
            program, ["--sample", "2"] if small else ["--all"], "naswot", ["--precision", "f16"]
        ),
        "loss_slope": lambda: sweep(program, ["--sample", "2" if small else "500"], "loss-slope"),
        "searches": lambda: {"left out": "emulated"} if small else searches(program, 30),
        "pytorch": lambda: pytorch(options.binary, watch, small),
    }
    chosen = options.steps.split(",") if options.steps else list(steps)
    if unknown := [name for name in chosen if name not in steps]:
        sys.exit(f"There is no step {unknown[0]}: expected {', '.join(steps)}.")
    for name in chosen:
        step, start = steps[name], time.perf_counter()
        try:
            report["steps"][name] = step()
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            report["failures"][name] = str(error)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    wrong = [entry for step in report["steps"].values() if isinstance(step, dict) for entry in step.get("wrong", [])]
    print(f"{len(wrong)} disagreements, {len(report['failures'])} failures; {options.output}")
    sys.exit(1 if wrong or report["failures"] else 0)


if __name__ == "__main__":
    main()
