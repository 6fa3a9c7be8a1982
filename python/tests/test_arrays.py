"""Images and weights out of arrays; scores into data frames."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etnas

MEASURES = ["naswot", "log_synflow", "loss_slope"]


def scores(images: Any, **options: Any) -> bytes:
    """The bits of scores on images."""
    return bits(etnas.Engine(images=images, batch=6, **options))


def bits(engine: etnas.Engine) -> bytes:
    found = engine.score(9930, MEASURES)
    return b"".join(found[key].tobytes() for key in MEASURES)


def save(path: Path, tensors: dict[str, np.ndarray[Any, Any]]) -> Path:
    """A safetensors file of f32 tensors: the header's length, the header, the bytes."""
    header, end = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [end, end + 4 * tensor.size]}
        end += 4 * tensor.size
    text = json.dumps(header).encode()
    data = b"".join(np.ascontiguousarray(tensor, "<f4").tobytes() for tensor in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_floats_are_fed_as_they_are(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.standard_normal((6, 3, 8, 8)).astype(np.float32)
    expected = scores(save(tmp_path / "images.safetensors", {"images": images}))
    more = np.concatenate([images, images])
    for same in (
        images,
        images.astype(np.float64),
        # Not in row-major order, with gaps, of other byte order, not to be written to, and more than the batch needs.
        np.asfortranarray(images),
        np.repeat(images, 2, axis=3)[..., ::2],
        images.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
        images.astype(">f4"),
        more,
        more.astype(np.float64)[:, :, :, :],
        memoryview(images),  # type: ignore[arg-type]
        images.tolist(),
    ):
        assert scores(same) == expected
    images.flags.writeable = False
    assert scores(images) == expected
    half = images.astype(np.float16)
    assert scores(half) == scores(half.astype(np.float32)) != expected


def test_bytes_are_levels_of_the_data_set(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (9, 3, 16, 16), dtype=np.uint8)
    options = {"dataset": "imagenet16-120"}
    expected = scores(levels, **options)
    assert scores(np.asfortranarray(levels), **options) == scores(levels[:6], **options) == expected
    assert scores(levels, data_seed=5, **options) != expected, "a data seed draws the batch from all images"
    # Arrays may change afterwards.
    engine = etnas.Engine(images=levels, batch=6, **options)  # type: ignore[arg-type]
    hash_before = engine.configuration["images"]["sha256"]
    levels[:] = 0
    assert bits(engine) == expected
    assert engine.configuration["images"]["sha256"] == hash_before


def test_tensors_of_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not there")
    images = rng.standard_normal((6, 3, 8, 8)).astype(np.float32)
    tensor = torch.from_numpy(images)
    expected = scores(images)
    assert scores(tensor) == scores(tensor.double()) == scores(tensor.clone().requires_grad_()) == expected
    assert scores(tensor.to(memory_format=torch.channels_last)) == expected
    assert scores(tensor.bfloat16()) == scores(tensor.bfloat16().float())


def test_what_is_no_batch_is_refused(rng: np.random.Generator) -> None:
    images = rng.standard_normal((6, 3, 8, 8)).astype(np.float32)
    bounded = "The images given: expected finite numbers of at most 1e6 in absolute value"
    for wrong, part in (
        (images[0], "expected a shape [count, 3, height, width]"),
        (images[:, :2], "expected a shape [count, 3, height, width]"),
        (images[:0], "expected a shape [count, 3, height, width]"),
        (images[:4], "The images given: expected at least 6 images, found 4."),
        (np.where(images == images[0, 0, 0, 5], np.nan, images), f"{bounded}, found NaN at place 5."),
        (np.where(images == images[0, 0, 0, 5], -3e38, images), f"{bounded}, found -3e38 at place 5."),
        (images.astype(np.int64), "expected numbers of the type uint8, float32 or float64, found int64"),
        (images.astype(object), "expected numbers of the type uint8, float32 or float64, found object"),
        (np.zeros((6, 3, 16, 16), np.uint8), "expected 32×32 pixels, found 16×16"),
    ):
        with pytest.raises(etnas.DataError) as refused:
            scores(wrong)
        assert part in str(refused.value)


def state_dict(rng: np.random.Generator, cell: int) -> dict[str, np.ndarray[Any, Any]]:
    """The weights of a cell's network, as NATS-Bench names them: 5 cells a stage, 16 channels."""
    ops = etnas.convert(cell, "ops")
    tensors = {"stem.0.weight": (16, 3, 3, 3), "classifier.weight": (10, 64), "classifier.bias": (10,)}
    for block in range(17):
        width = 16 << (block > 5) << (block > 11)
        if block in (5, 11):
            tensors[f"cells.{block}.conv_a.op.1.weight"] = (2 * width, width, 3, 3)
            tensors[f"cells.{block}.conv_b.op.1.weight"] = (2 * width, 2 * width, 3, 3)
            tensors[f"cells.{block}.downsample.1.weight"] = (2 * width, width, 1, 1)
            continue
        for edge, op in enumerate(ops):
            if op in (2, 3):
                side = 1 if op == 2 else 3
                tensors[f"cells.{block}.layers.{edge}.op.1.weight"] = (width, width, side, side)
    return {name: (0.1 * rng.standard_normal(shape)).astype(np.float32) for name, shape in tensors.items()}


def test_weights_of_a_mapping_are_those_of_a_file(tmp_path: Path, rng: np.random.Generator) -> None:
    weights = state_dict(rng, 9930)
    path = save(tmp_path / "w.safetensors", weights)

    images = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)

    def of(given: Any) -> bytes:
        return bits(etnas.Engine(weights=given, images=images, batch=4))

    expected = of(path)
    assert of(str(path)) == of(weights) == expected
    assert of(None) != expected
    assert bits(pickle.loads(pickle.dumps(etnas.Engine(weights=weights, images=images, batch=4)))) == expected
    # Counters of BatchNorms stand in every state_dict.
    counted = {**weights, "stem.1.num_batches_tracked": np.array(7)}
    reversed_ = {name: np.asfortranarray(tensor) for name, tensor in reversed(counted.items())}
    assert of(reversed_) == of({name: tensor.astype(np.float64) for name, tensor in weights.items()}) == expected
    with pytest.raises(etnas.OptionsError, match="--weights: expected exactly one cell, found 2 cells"):
        etnas.Engine(weights=weights, batch=4).score([9930, 1462])
    broken = {**weights, "stem.0.weight": weights["stem.0.weight"].astype(np.int64)}
    with pytest.raises(etnas.DataError, match="stem.0.weight.*Convert it to float32"):
        of(broken)
    with pytest.raises(etnas.DataError, match="classifier.weight"):
        of({name: tensor for name, tensor in weights.items() if name != "classifier.weight"})
    with pytest.raises(etnas.DataError, match="expected numbers, found"):
        of({"classifier.weight": np.array([None])})


def test_data_frames() -> None:
    found = etnas.Engine(batch=4).score([9930, 1462], ["naswot", "degree"])
    pandas = pytest.importorskip("pandas", reason="pandas is not there")
    frame = pandas.DataFrame(found)
    assert frame.sort_values("degree")["index"].tolist() == [1462, 9930]
    assert frame["arch"][0] == etnas.convert(9930)
    polars = pytest.importorskip("polars", reason="polars is not there")
    table = polars.DataFrame(found)
    assert table.schema["arch"] == polars.String and table["naswot"].to_list() == found["naswot"].tolist()
    assert table.sort("degree")["index"].to_list() == [1462, 9930]
    # Columns are cells too.
    again = etnas.Engine(batch=4).score(frame["arch"], "degree")["degree"]
    assert again.tolist() == etnas.Engine(batch=4).score(table["index"], "degree")["degree"].tolist()
