"""Times naswot, LogSynflow and LossSlope in PyTorch and in etnas, side by side in one run, and prints the ratios.

    cargo build --release
    pip install -r benches/peers/requirements.txt
    python benches/peers/run.py [-o benches/results/peers.json] [--device cuda]

Both sides score the cells of `cells.txt` on the embedded photographs, with the same batch and the same number of threads, in
turns: for each round and measure first PyTorch, then `etnas-fast bench`. What is compared are the medians over the rounds of
the milliseconds per cell, and the least beside them. Neither side is charged for building networks or drawing weights.

Let nothing else run meanwhile: the script looks before each round and says what it found. Other work hurts PyTorch more, whose threads wait for each
other in every layer, and makes the ratios larger than they are.

PyTorch scores one cell at a time, as published implementations do:

* naswot: a forward pass in train mode, without gradients, over 128 images; a hook on every ReLU takes the signs of its output
  and adds x·xᵀ + (1 − x)·(1 − x)ᵀ to K_H; ln|det| at the end.
* LogSynflow: weights as absolute values in f64, BatchNorm left out, one image of ones forward and the sum of the logits
  back; Σ |w·ln(g + 1e-6)|.
* LossSlope: ten steps of SGD over 16 images with three heads. The targets are noise of the right shape and the images are not
  cropped, which changes no time.

Before anything is timed, the script proves that both sides compute the same: for the first cells of the list it hands its own
weights to `etnas-fast score` and compares the number of parameters exactly, naswot to a part in 10,000 (f32 kernels differ in
a few sign bits) and LogSynflow to one in 100,000. The losses of LossSlope must be finite and fall. If a check fails nothing is
timed.
"""

import argparse
import array
import json
import math
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CHANNELS, CELLS, CLASSES, SIZE = 16, 5, 10, 32
MEAN, STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
# Rounds that `etnas-fast bench` repeats in one turn: the short ones more often.
REPEATS = {"naswot": 2, "log_synflow": 5, "loss_slope": 1}


# -- the network of NATS-Bench's topology space, under the names of its state_dict ----------------------------------------


class Conv(nn.Module):
    """ReLU, convolution, BatchNorm."""

    def __init__(self, inputs, outputs, side, stride=1):
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
        self.op = nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.op(x)


class Zero(nn.Module):
    def forward(self, x):
        return x * 0.0


def operation(name, channels):
    return {
        "none": Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: Conv(channels, channels, 1),
        "nor_conv_3x3": lambda: Conv(channels, channels, 3),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }[name]()


class Cell(nn.Module):
    """Four nodes; node n is the sum of its operations on the nodes before it."""

    def __init__(self, arch, channels):
        super().__init__()
        nodes = [[edge.split("~") for edge in node.strip("|").split("|")] for node in arch.split("+")]
        self.sources = [[int(source) for _, source in node] for node in nodes]
        self.layers = nn.ModuleList(operation(name, channels) for node in nodes for name, _ in node)

    def forward(self, x):
        values, layers = [x], iter(self.layers)
        for sources in self.sources:
            values.append(sum(next(layers)(values[source]) for source in sources))
        return values[-1]


class Reduction(nn.Module):
    """Two convolutions, the first with stride 2, beside an averaged and projected shortcut."""

    def __init__(self, inputs):
        super().__init__()
        self.conv_a, self.conv_b = Conv(inputs, 2 * inputs, 3, 2), Conv(2 * inputs, 2 * inputs, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, 2 * inputs, 1, bias=False))

    def forward(self, x):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class Network(nn.Module):
    """Stem, three stages of cells with a reduction between them, head."""

    def __init__(self, arch):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, 1, 1, bias=False), nn.BatchNorm2d(CHANNELS))
        blocks = []
        for stage in range(3):
            width = CHANNELS << stage
            if stage > 0:
                blocks.append(Reduction(width // 2))
            blocks += [Cell(arch, width) for _ in range(CELLS)]
        self.cells = nn.ModuleList(blocks)
        self.lastact = nn.Sequential(nn.BatchNorm2d(4 * CHANNELS), nn.ReLU())
        self.classifier = nn.Linear(4 * CHANNELS, CLASSES)

    def stages(self, x):
        """The maps behind each stage's last cell."""
        x, ends = self.stem(x), []
        for i, block in enumerate(self.cells):
            x = block(x)
            if i % (CELLS + 1) == CELLS - 1:
                ends.append(x)
        return ends

    def forward(self, x):
        return self.classifier(self.lastact(self.stages(x)[-1]).mean((2, 3)))


class Regressor(nn.Module):
    """The network without its head; each stage is resized to 8×8 and projected. Searched cells train no BatchNorm."""

    HEADS = (64, 48, 16)

    def __init__(self, network):
        super().__init__()
        self.network = network
        for cell in (block for block in network.cells if isinstance(block, Cell)):
            for norm in (module for module in cell.modules() if isinstance(module, nn.BatchNorm2d)):
                norm.weight = norm.bias = None
        widths = [CHANNELS << stage for stage in range(3)]
        self.heads = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width), nn.Conv2d(width, outputs, 1)) for width, outputs in zip(widths, self.HEADS)
        )

    def forward(self, x):
        return [head(F.interpolate(y, (8, 8))) for head, y in zip(self.heads, self.network.stages(x))]


# -- the measures -----------------------------------------------------------------------------------------------------


def naswot(network, images):
    count = len(images)
    kernel = torch.zeros(count, count, dtype=torch.float64, device=images.device)

    def add(_, __, output):
        code = (output.reshape(count, -1) > 0).float()
        kernel.add_(code @ code.t() + (1 - code) @ (1 - code).t())

    hooks = [module.register_forward_hook(add) for module in network.modules() if isinstance(module, nn.ReLU)]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(kernel)[1])


def log_synflow(network):
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = lambda x: x
    ones = torch.ones(1, 3, SIZE, SIZE, dtype=torch.float64, device=network.classifier.weight.device)
    network(ones).sum().backward()
    total = 0.0
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            weight = module.weight.detach()
            gradient = torch.zeros_like(weight) if module.weight.grad is None else module.weight.grad
            total += float((weight * torch.log(gradient + 1e-6)).abs().sum())
    return total


def losses(regressor, task):
    decaying = [p for p in regressor.parameters() if p.dim() > 1]
    others = [p for p in regressor.parameters() if p.dim() <= 1]
    groups = [{"params": decaying, "weight_decay": 4e-5}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    found = []
    for noise in task["noise"]:
        outputs = regressor(task["images"] + noise)
        errors = (F.mse_loss(output, target) for output, target in zip(outputs, task["targets"]))
        loss = sum(weight * error for weight, error in zip((0.25, 0.5, 1.0), errors))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def photographs():
    """The embedded photographs, normalised: [128, 3, 32, 32]."""
    data = bytearray((ROOT / "src/input/photos_128.bin").read_bytes())
    records = torch.frombuffer(data, dtype=torch.uint8).reshape(128, 1 + 3 * SIZE * SIZE)
    pixels = records[:, 1:].reshape(128, 3, SIZE, SIZE).double()
    mean, std = (torch.tensor(values, dtype=torch.float64).reshape(3, 1, 1) for values in (MEAN, STD))
    return ((pixels - mean) / std).float().contiguous()


def regression(images):
    images = images[:16]
    return {
        "images": images,
        "noise": [torch.empty_like(images).uniform_(-0.1, 0.1) for _ in range(10)],
        "targets": [2 * torch.randn(len(images), outputs, 8, 8).to(images.device) for outputs in Regressor.HEADS],
    }


# -- both sides -------------------------------------------------------------------------------------------------------


class Peer:
    """PyTorch, one cell at a time."""

    def __init__(self, batch, device):
        self.device = device
        self.images = photographs()[:batch].to(device)
        self.task = regression(self.images)

    def ready(self, measure, arch):
        """The measure of a cell as a function that is timed; the network is there already."""
        network = Network(arch).train().to(self.device)
        if measure == "naswot":
            return lambda: naswot(network, self.images)
        if measure == "log_synflow":
            return lambda: log_synflow(network)
        regressor = Regressor(network).to(self.device)
        return lambda: losses(regressor, self.task)

    def finish(self):
        """Waits for the card."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def milliseconds(self, measure, cells):
        """Per cell, over all cells; a first one is not timed."""
        self.ready(measure, cells[0])()
        total = 0.0
        for arch in cells:
            run = self.ready(measure, arch)
            self.finish()
            start = time.perf_counter()
            run()
            self.finish()
            total += time.perf_counter() - start
        return 1e3 * total / len(cells)


class Engine:
    """etnas, through its program."""

    def __init__(self, binary, threads, batch, device):
        self.binary = binary
        self.options = ["--threads", str(threads), "--batch", str(batch), "--device", device, "--quiet"]

    def call(self, *arguments):
        done = subprocess.run([self.binary, *arguments, *self.options], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr.strip() or f"{self.binary} ended with {done.returncode}.")
        return json.loads(done.stdout)

    def bench(self, measure, file):
        name, repeats = measure.replace("_", "-"), str(REPEATS[measure])
        return self.call("bench", "--measures", name, "--cells", str(file), "--repeats", repeats, "--format", "json")

    def score(self, arch, weights):
        measures = "naswot,log-synflow,params"
        report = self.call("score", arch, "--weights", weights, "--measures", measures, "--format", "json")
        return report["records"][0]


def safetensors(path, tensors):
    """Writes f32 tensors as safetensors."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = array.array("f", tensor.flatten().tolist()).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def check(peer, engine, cells):
    """Both sides on the same weights. Returns what was compared; ends the script where they disagree."""
    compared = []
    for arch in cells:
        network = Network(arch).train().to(peer.device)
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "weights.safetensors")
            state = network.state_dict()
            safetensors(file, {k: v for k, v in state.items() if "running" not in k and "tracked" not in k})
            record = engine.score(arch, file)
        ours = {"params": sum(p.numel() for p in network.parameters())}
        ours["naswot"] = naswot(network, peer.images)
        ours["log_synflow"] = log_synflow(network)
        for key, tolerance in (("params", 0.0), ("naswot", 1e-4), ("log_synflow", 1e-5)):
            mine, theirs = ours[key], record[key]
            if theirs is None and math.isinf(mine):
                continue
            if theirs is None or abs(mine - theirs) > tolerance * abs(theirs):
                sys.exit(f"The two sides disagree: {key} of {arch} is {mine} in PyTorch and {theirs} in etnas.")
        found = losses(Regressor(Network(arch).train()).to(peer.device), peer.task)
        if not all(map(math.isfinite, found)) or found[-1] >= found[0]:
            sys.exit(f"LossSlope's losses do not fall in PyTorch: {found} for {arch}.")
        compared.append({"arch": arch, "pytorch": ours, "etnas": {key: record[key] for key in ours}})
    return compared


def busy():
    """The share of the processor's time that others take in half a second; None where the system does not say."""

    def ticks():
        return [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]

    if not Path("/proc/stat").is_file():
        return None
    before = ticks()
    time.sleep(0.5)
    spent = [b - a for a, b in zip(before, ticks())]
    return 1 - (spent[3] + spent[4]) / max(1, sum(spent))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--binary", default=str(ROOT / "target/release/etnas-fast"), help="the program etnas-fast")
    parser.add_argument("--cells", type=Path, default=HERE / "cells.txt", help="architecture strings, one a line")
    parser.add_argument("--threads", type=int, default=cores, help="threads of either side")
    parser.add_argument("--batch", type=int, default=128, help="images in naswot's batch")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where both sides compute")
    parser.add_argument("--rounds", type=int, default=3, help="turns of either side")
    parser.add_argument("-o", "--output", type=Path, help="write all figures to this file as JSON")
    options = parser.parse_args()
    if not Path(options.binary).is_file():
        sys.exit(f"There is no program {options.binary}: run cargo build --release, or give --binary.")
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    cells = [line.strip() for line in options.cells.read_text().splitlines() if line.strip()]
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no card.")
    peer = Peer(options.batch, options.device)
    engine = Engine(options.binary, options.threads, options.batch, options.device)

    # By default PyTorch rounds the operands of convolutions to TF32 on a card: not while both sides are compared.
    by_default = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    compared = check(peer, engine, cells[:3])
    torch.backends.cudnn.allow_tf32 = by_default
    print(f"Both sides agree on {len(compared)} cells. Timing {len(cells)} cells in {options.rounds} rounds.", flush=True)
    samples = {measure: {"pytorch": [], "etnas": []} for measure in REPEATS}
    others = []
    for _ in range(options.rounds):
        others.append(busy())
        for measure, sample in samples.items():
            sample["pytorch"].append(peer.milliseconds(measure, cells))
            report = engine.bench(measure, options.cells)
            sample["etnas"].append(report["measures"][0]["ms_per_cell"]["median"])

    figures = {}
    print(f"\n{'ms per cell':14}{'PyTorch':>10}{'etnas':>10}{'ratio':>8}{'of least':>10}   of each round")
    for measure, sample in samples.items():
        medians = {side: statistics.median(values) for side, values in sample.items()}
        ratio = medians["pytorch"] / medians["etnas"]
        of_least = min(sample["pytorch"]) / min(sample["etnas"])
        figures[measure] = {"ms_per_cell": medians, "ratio": ratio, "ratio_of_least": of_least, "rounds": sample}
        listed = " ".join(f"{p / e:.1f}" for p, e in zip(sample["pytorch"], sample["etnas"]))
        print(f"{measure:14}{medians['pytorch']:10.1f}{medians['etnas']:10.2f}{ratio:8.1f}{of_least:10.1f}   {listed}")
    versions = {"python": platform.python_version(), "torch": torch.__version__, "etnas": report["version"]}
    versions["kernel_set"] = report["configuration"]["kernel_set"]
    machine = report["machine"] | {"platform": platform.platform(), "peak_gflops": report["peak_gflops"]}
    machine["busy_before_rounds"] = others
    setting = {"device": options.device, "threads": options.threads, "batch": options.batch, "rounds": options.rounds, "cells": cells}
    print(
        f"\n{len(cells)} cells, batch {options.batch}, {options.threads} threads; torch {versions['torch']}, "
        f"etnas {versions['etnas']} ({versions['kernel_set']}); {machine['processor']}, {machine['cores']} cores, "
        f"{machine['instruction_set']}"
    )
    if max(share or 0.0 for share in others) > 0.1:
        listed = ", ".join(f"{share:.0%}" for share in others)
        print(f"Note: other work kept the processor busy before the rounds ({listed}); these ratios are not to be quoted.")
    if options.output:
        everything = {"measures": figures, "versions": versions, "machine": machine, "setting": setting, "checks": compared}
        options.output.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
