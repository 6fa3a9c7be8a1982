"""Options of Python programs as arguments of the command line, and their arrays as numpy's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


#: The options of an engine that a search has too: the command line has them under the same names, and their defaults.
OF_ENGINE = (
    "dataset",
    "device",
    "seed",
    "batch",
    "classes",
    "init",
    "slope_init",
    "log_synflow",
    "repeats",
    "threads",
    "precision",
    "weight_seed",
    "data_seed",
    "target_seed",
    "noise_seed",
)


def of_engine(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of a function's arguments by name, those that are options of an engine."""
    return {name: given[name] for name in OF_ENGINE}


def arguments(options: Mapping[str, Any]) -> list[str]:
    """Options that are not None as ``--name=value``; a true one is a flag."""
    found = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            found.append(option)
        elif value is not None and value is not False:
            found.append(f"{option}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return found


def split_images(images: Any) -> tuple[str | None, Any]:
    """The value of ``--data`` and the array, of which one at least is None."""
    if images is None:
        return None, None
    if isinstance(images, os.PathLike):
        path = os.fsdecode(images)
        # The word alone stands for Gaussian noise.
        return os.path.join(os.curdir, path) if path == "noise" else path, None
    if isinstance(images, (str, bytes)):
        return os.fsdecode(images), None
    return None, array_of(images)


def split_weights(weights: Any) -> tuple[str | None, Any]:
    """The value of ``--weights`` and the tensors, of which one at least is None."""
    if weights is None:
        return None, None
    if isinstance(weights, (str, bytes, os.PathLike)):
        return os.fsdecode(weights), None
    return None, [tensor_of(str(name), value) for name, value in weights.items()]


def array_of(values: Any) -> np.ndarray[Any, Any]:
    """The numpy array over the same memory where there is one; floats of other widths than 4 and 8 bytes become float32."""
    if hasattr(values, "detach"):
        # PyTorch: a part of a graph, on a card, or of a type that numpy lacks.
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":
            values = values.float()
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        array: np.ndarray[Any, Any] = np.from_dlpack(values)
    else:
        array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def tensor_of(name: str, values: Any) -> tuple[str, str, list[int], np.ndarray[Any, Any]]:
    """Name, type, shape and bytes of a tensor, which are copied only if they do not lie in row-major order."""
    array = array_of(values)
    kind = array.dtype.newbyteorder("<").str
    flat = np.ascontiguousarray(array).reshape(-1)
    # Objects have no bytes that mean anything; their type is refused by name.
    return name, kind, list(array.shape), np.empty(0, np.uint8) if array.dtype.hasobject else flat.view(np.uint8)


def names(measures: str | Iterable[str] | None) -> list[str] | None:
    """The names of measures; one alone is a list of one."""
    if measures is None:
        return None
    return [measures] if isinstance(measures, str) else [str(name) for name in measures]
