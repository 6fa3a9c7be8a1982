"""The measures in PyTorch on the networks of the package `xautodl`: written from the definitions alone.

A network is `TinyNetwork`, whose forward gives (features, logits). What is trained by LossSlope is a `Regressor` around it.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from xautodl.models.cell_infers.tiny_network import TinyNetwork
from xautodl.models.cell_searchs.genotypes import Structure

CHANNELS, CELLS = 16, 5
HEADS = (64, 48, 16)


def network(arch, state, classes):
    """The network of `arch` in train mode with the weights of `state`: every name must be met."""
    net = TinyNetwork(CHANNELS, CELLS, Structure.str2structure(arch), classes)
    net.load_state_dict(state, strict=True)
    return net.train()


def params(net):
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def macs(net, image):
    """Multiply-accumulates of convolutions and the classifier, its bias included, for one image `[1, 3, h, w]`."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Linear):
            total += layer.weight.numel() + layer.bias.numel()
        else:
            total += layer.weight.numel() * output.shape[2] * output.shape[3]

    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    net.eval()
    with torch.no_grad():
        net(image)
    net.train()
    for hook in hooks:
        hook.remove()
    return total


def degree(arch):
    """Convolutions, a point for each skip over one node, two for the skip over two."""
    points = 0
    for target, node in enumerate(arch.split("+"), start=1):
        for edge in node.strip("|").split("|"):
            op, source = edge.split("~")
            points += 1 if "conv" in op else target - int(source) - 1 if op == "skip_connect" else 0
    return points


def naswot(net, images):
    """(ln|det K_H| or None where it is singular, K_H, logits): K_H over the outputs of all ReLUs in train mode."""
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def add(_, __, output):
        nonlocal kernel
        codes = (output.flatten(1) > 0).double()
        kernel += codes @ codes.t() + (1 - codes) @ (1 - codes).t()

    hooks = [m.register_forward_hook(add) for m in net.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        logits = net(images)[1]
    for hook in hooks:
        hook.remove()
    # A kernel of equal rows is singular; elimination would leave rounding errors.
    if len(torch.unique(kernel, dim=0)) < len(kernel):
        return None, kernel, logits
    sign, logarithm = torch.linalg.slogdet(kernel)
    return (float(logarithm) if sign else None), kernel, logits


class Identity(nn.Module):
    def forward(self, x):
        return x


def without_norms(module):
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, Identity())
        else:
            without_norms(child)


def synflows(net, shape):
    """(Synflow, LogSynflow) of weights of convolutions and the classifier, in f64. Spoils the network."""
    without_norms(net.double())
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    net.zero_grad()
    net(torch.ones(1, *shape, dtype=torch.float64))[1].sum().backward()
    product = logarithm = 0.0
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            w = layer.weight.detach()
            g = layer.weight.grad if layer.weight.grad is not None else torch.zeros_like(w)
            product += float((w * g).abs().sum())
            logarithm += float((w * (g + 1e-6).log()).abs().sum())
    return product, logarithm


class Regressor(nn.Module):
    """Stem, cells and reductions with three heads on maps of 8×8. The searched cells' BatchNorms have no scale and shift."""

    def __init__(self, arch, task):
        super().__init__()
        self.net = TinyNetwork(CHANNELS, CELLS, Structure.str2structure(arch), 1)
        for i, block in enumerate(self.net.cells):
            if i not in (CELLS, 2 * CELLS + 1):
                for m in list(block.modules()):
                    if isinstance(m, nn.BatchNorm2d):
                        m.weight = m.bias = None
        self.heads = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(CHANNELS << i), nn.Conv2d(CHANNELS << i, out, 1)) for i, out in enumerate(HEADS)
        )
        state = {name: t for name, t in task.items() if name.startswith(("net.", "heads."))}
        missing, unexpected = self.load_state_dict(state, strict=False)
        unused = ("net.lastact.", "net.classifier.")
        missing = [n for n in missing if not n.startswith(unused) and "running_" not in n and "num_batches" not in n]
        assert not missing and not unexpected, (missing, unexpected)

    def forward(self, x):
        x, ends = self.net.stem(x), []
        for i, block in enumerate(self.net.cells):
            x = block(x)
            if i % (CELLS + 1) == CELLS - 1:
                ends.append(x)
        return [head(F.interpolate(end, size=(8, 8), mode="nearest")) for head, end in zip(self.heads, ends)]


def losses(arch, task, dtype):
    """The losses of ten steps of SGD, each taken before its update."""
    model = Regressor(arch, task).to(dtype).train()
    images, noise = task["slope.input"].to(dtype), task["slope.noise"].to(dtype)
    targets = [task[f"slope.target.{i}"].to(dtype) for i in range(3)]
    used = [p for n, p in model.named_parameters() if not n.startswith(("net.lastact.", "net.classifier."))]
    matrices, vectors = [p for p in used if p.dim() > 1], [p for p in used if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 4e-5}, {"params": vectors, "weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    result = []
    for step in noise:
        errors = [F.mse_loss(o, t) for o, t in zip(model(images + step), targets)]
        loss = 0.25 * errors[0] + 0.5 * errors[1] + 1.0 * errors[2]
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        result.append(float(loss.detach()))
    return result


def reversed_task(task):
    """The same task with the images in reverse order: equal but for the order of sums."""
    images = {"slope.input": 0, "slope.noise": 1, "slope.target.0": 0, "slope.target.1": 0, "slope.target.2": 0}
    return {name: t.flip(images[name]) if name in images else t for name, t in task.items()}


def loss_slope(values):
    """Minus the slope of the least-squares line through the last nine losses; None where one is not finite."""
    if not all(math.isfinite(v) for v in values):
        return None
    return -sum((k - 4) * v for k, v in enumerate(values[1:])) / 60
