"""Scores random cells again with others' code, on exported weights and images, and compares every measure.

    cargo build --release
    pip install -r benches/crosscheck/requirements.txt && pip install --no-deps xautodl==1.0.0
    python benches/crosscheck/run.py [-o docs/results/crosscheck.txt]

`etnas-fast score` scores a random sample of cells. `etnas-fast export` writes their weights, images and LossSlope's task. The networks
are built by the package xautodl, of the authors of NATS-Bench, which has to take the weights without a name left over on either
side. The measures of `measures.py` are computed on them, Synflow in f64, the others in f32. Of the first cells, onnxruntime runs the
exported ONNX model, and the logits and losses that the program's plain f64 implementation gives stand beside those of PyTorch in f64.

What may differ (the limits are stated before anything is computed; a larger difference fails):

* params, macs, degree, and whether K_H is singular: nothing.
* naswot: 1e-3 absolute, as f32 flips a few of some 10⁵ signs on either side; Synflow and LogSynflow: 1e-5 relative.
* logits and losses in f64 on both sides: 1e-9 relative to the largest.
* the ONNX model, which computes in f32: 1e-4 of the largest logit.
* LossSlope: the task is chaotic in f32, so the f64 losses are what proves it. Rounding must matter far less than chance does: another draw of
  weights, targets and noise moves a slope by 0.03. The median difference from PyTorch must be at most a tenth of the median that another draw
  moves the program's own slopes, the largest at most 0.09, and the order of the cells nearer to PyTorch's than to that of the other draw.
  How far PyTorch is from itself when the images stand in reverse order, which changes the order of sums and nothing else, is told beside: the
  program's convolutions by Winograd round some three times as coarsely.
"""

import argparse
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from safetensors.torch import load_file

import measures

ROOT = Path(__file__).resolve().parent.parent.parent
MEASURES = "naswot,log-synflow,synflow,degree,loss-slope,params,macs"
# How many cells' files lie on the disk at a time, some 5 MB each.
CHUNK = 20


class Comparison:
    """The largest difference of one quantity over the cells."""

    def __init__(self, limit, kind):
        self.limit, self.kind = limit, kind
        self.count, self.worst, self.at = 0, 0.0, None

    def add(self, index, ours, theirs):
        """Compares two numbers or lists of numbers; None equals only None."""
        self.count += 1
        if ours is None or theirs is None:
            difference = 0.0 if ours is theirs else math.inf
        else:
            ours, theirs = numpy.asarray(ours, dtype=float), numpy.asarray(theirs, dtype=float)
            difference = float(numpy.abs(ours - theirs).max())
            if self.kind == "relative" and difference > 0:
                difference /= float(numpy.abs(theirs).max()) or math.nan
        if self.at is None or not difference <= self.worst:
            self.worst, self.at = difference, index

    def holds(self):
        return self.count > 0 and self.worst <= self.limit


def kendall(a, b):
    """Kendall's tau-b: cells that differ only where no signal passes have equal slopes."""
    signs = [numpy.sign(numpy.subtract.outer(numpy.array(v), numpy.array(v))) for v in (a, b)]
    return float((signs[0] * signs[1]).sum() / numpy.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--etnas", default=str(ROOT / "target/release/etnas-fast"), help="the program")
    parser.add_argument("--cells", type=int, default=200, help="cells of the random sample")
    parser.add_argument("--seed", type=int, default=0, help="master seed: sample, weights, noise, targets")
    parser.add_argument("--dataset", default="cifar10", help="data set of the network; images are the built-in photographs")
    parser.add_argument("--batch", type=int, default=8, help="images")
    parser.add_argument("--models", type=int, default=20, help="cells whose ONNX model and f64 logits are compared")
    parser.add_argument("--trained", type=int, default=3, help="cells whose f64 losses are compared, which takes longest")
    parser.add_argument("--twice", type=int, default=100, help="cells that PyTorch trains twice, to see how far it is from itself")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    parser.add_argument("-o", "--output", help="also write the table to this file")
    args = parser.parse_args()
    begin = time.time()
    torch.set_num_threads(args.threads)

    options = ["--seed", str(args.seed), "--dataset", args.dataset, "--batch", str(args.batch), "--device", "cpu"]

    def etnas(*arguments):
        done = subprocess.run([args.etnas, *arguments, *options, "--quiet"], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode()

    scored = etnas("score", "--sample", str(args.cells), "--measures", MEASURES, "--format", "jsonl")
    records = [json.loads(line) for line in scored.splitlines()]
    assert len(records) == args.cells
    # The same cells under another draw; seeds of 32 bits, as all are.
    seeds = [f"--{name}-seed={args.seed + 1}" for name in ("weight", "target", "noise")]
    other = etnas("score", "--sample", str(args.cells), "--measures", "loss-slope", "--format", "jsonl", *seeds)

    table = {
        "params": Comparison(0, "absolute"),
        "macs": Comparison(0, "absolute"),
        "degree": Comparison(0, "absolute"),
        "naswot": Comparison(1e-3, "absolute"),
        "log_synflow": Comparison(1e-5, "relative"),
        "synflow": Comparison(1e-5, "relative"),
        "loss_slope": Comparison(0.09, "absolute"),
        "logits (f64)": Comparison(1e-9, "relative"),
        "losses (f64)": Comparison(1e-9, "relative"),
        "logits (ONNX)": Comparison(1e-4, "relative"),
        "logits (ONNX, one image)": Comparison(1e-4, "relative"),
    }
    slopes = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            deep = [max(count - start, 0) for count in (args.models, args.trained, args.twice)]
            export_and_compare(chunk, deep, Path(folder), etnas, table, slopes)
            print(f"{start + len(chunk)} of {len(records)} cells, {time.time() - begin:.0f} s", file=sys.stderr, flush=True)

    ours, theirs = zip(*[(a, b) for a, b, _ in slopes if a is not None and b is not None])
    apart = statistics.median(abs(a - b) for a, b in zip(ours, theirs))
    itself = [(a, b) for _, a, b in slopes if a is not None and b is not None]
    drawn = [json.loads(line)["loss_slope"] for line in other.splitlines()]
    drawn = [(a["loss_slope"], b) for a, b in zip(records, drawn) if a["loss_slope"] is not None and b is not None]
    moved = statistics.median(abs(a - b) for a, b in drawn)
    tau, least = kendall(ours, theirs), kendall(*zip(*drawn))
    order = [
        ("loss_slope, median", f"{apart:.2e}", f"{moved / 10:.1e}", apart <= moved / 10),
        ("loss_slope, Kendall's tau", f"{tau:.4f}", f"> {least:.4f}", tau > least),
        (f"  PyTorch with itself, {len(itself)}", f"{kendall(*zip(*itself)):.4f}", f"told: median {statistics.median(abs(a - b) for a, b in itself):.1e}", True),
    ]
    good = all(holds for *_, holds in order) and all(row.holds() for row in table.values())
    singular = sum(r["naswot"] is None for r in records)
    lines = [
        f"{len(records)} random cells (seed {args.seed}, {args.dataset}, {args.batch} of the built-in photographs), "
        f"{singular} of them with a singular K_H.",
        f"etnas-fast {json.loads(etnas('score', '0', '--measures', 'degree', '--format', 'json'))['meta']['version']}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, onnx {onnx.__version__}, "
        f"onnxruntime {onnxruntime.__version__}, xautodl 1.0.0",
        "",
        f"{'':26}{'cells':>6}{'largest difference':>28}{'of cell':>9}{'allowed':>10}",
    ]
    for name, row in table.items():
        verdict = "" if row.holds() else "  TOO LARGE"
        lines.append(f"{name:26}{row.count:6}{row.worst:19.2e} {row.kind}{row.at:9}{row.limit:10.0e}{verdict}")
    for name, found, allowed, holds in order:
        lines.append(f"{name:26}{len(ours):6}{found:>19}{'':18}{allowed:>10}{'' if holds else '  NOT MET'}")
    lines += ["", "All agree." if good else "They DISAGREE."]
    print("\n".join(lines))
    if args.output:
        Path(args.output).write_text("\n".join(lines) + "\n")
    sys.exit(0 if good else 1)


def export_and_compare(records, deep, folder, etnas, table, slopes):
    """Exports the cells of the records, computes everything anew, and deletes the files again."""
    models, trained, twice = deep

    def path(name, index="{index}"):
        return str(folder / f"{index}.{name}")

    indices = [str(r["index"]) for r in records]
    images_file = str(folder / "images.safetensors")
    etnas("export", *indices, "-o", path("safetensors"), "--task", path("task"), "--images", images_file)
    if models:
        etnas("export", *indices[:models], "-o", path("onnx"), "--logits", path("logits"))
    if trained:
        etnas("export", *indices[:trained], "--losses", path("losses"))
    images = load_file(images_file)["images"]
    for i, record in enumerate(records):
        index, arch = record["index"], record["arch"]
        state, task = load_file(path("safetensors", index)), load_file(path("task", index))
        net = measures.network(arch, state, len(state["classifier.bias"]))
        table["params"].add(index, record["params"], measures.params(net))
        table["macs"].add(index, record["macs"], measures.macs(net, images[:1]))
        table["degree"].add(index, record["degree"], measures.degree(arch))
        table["naswot"].add(index, record["naswot"], measures.naswot(net, images)[0])
        slope = measures.loss_slope(measures.losses(arch, task, torch.float32))
        table["loss_slope"].add(index, record["loss_slope"], slope)
        again = None
        if i < twice:
            again = measures.loss_slope(measures.losses(arch, measures.reversed_task(task), torch.float32))
        slopes.append((record["loss_slope"], slope, again))
        if i < models:
            ours = load_file(path("logits", index))["logits"].numpy()
            theirs = measures.naswot(net.double(), images.double())[2].numpy()
            table["logits (f64)"].add(index, ours, theirs)
            onnx.checker.check_model(onnx.load(path("onnx", index)), full_check=True)
            session = onnxruntime.InferenceSession(path("onnx", index), providers=["CPUExecutionProvider"])
            table["logits (ONNX)"].add(index, session.run(["logits"], {"images": images.numpy()})[0], ours)
            # The statistics are those of the batch, whatever the model is fed.
            alone = session.run(["logits"], {"images": images[1:2].numpy()})[0]
            table["logits (ONNX, one image)"].add(index, alone, ours[1:2])
        if i < trained:
            ours = load_file(path("losses", index))["losses"].numpy()
            table["losses (f64)"].add(index, ours, measures.losses(arch, task, torch.float64))
        synflow, log_synflow = measures.synflows(net, images.shape[1:])
        table["synflow"].add(index, record["synflow"], synflow)
        table["log_synflow"].add(index, record["log_synflow"], log_synflow)
    for file in folder.iterdir():
        file.unlink()


if __name__ == "__main__":
    main()
