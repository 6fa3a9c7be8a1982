"""The engine: cells in, arrays out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

from . import _arguments, _etnas
from ._measures import Measure, described

#: A cell's index, its string, or (in the encodings ``ops`` and ``naslib``) six ids; or many of them.
Cells = Union[SupportsIndex, str, Iterable[Any]]
#: Arrays of equal length by key.
Scores = dict[str, npt.NDArray[Any]]


class Engine:
    """Scores cells under one set of options. A score is a pure function of these and the cell.

    Options have the names, the values and the defaults of ``etnas-fast score``, with underscores; ``images`` is its ``--data``:

    * ``None``: the built-in photographs. ``"noise"``: Gaussian noise. Another string or path: a data set's file or folder, or a safetensors
      batch.
    * An array ``[count, 3, height, width]`` of numpy, or of what numpy reads (a tensor of PyTorch, whatever has a buffer, ``__array__`` or
      ``__dlpack__``). uint8 are levels of the data set's size, which are normalised; floats are fed to networks as they are.

    ``weights`` is a safetensors file or a mapping of names to arrays (a ``state_dict``) of one cell's network. What the engine needs of arrays
    is copied once, for scores are remembered: arrays may change afterwards.

    An engine remembers what it computed. It may be used by several threads at once, be pickled (its options travel, its memory of scores does
    not), and be used after a fork. Methods release the lock of the interpreter while they work. Ctrl-C ends them within a cell's time; what
    was scored for them until then is lost, the engine stays as good as before.
    """

    def __init__(
        self,
        dataset: str = "cifar10",
        device: str = "auto",
        seed: int = 0,
        *,
        images: Any = None,
        batch: int = 128,
        classes: int | None = None,
        init: str = "uniform",
        slope_init: str = "uniform",
        log_synflow: str = "reference",
        weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        repeats: int = 1,
        threads: int | None = None,
        precision: str | None = None,
        weight_seed: int | None = None,
        data_seed: int | None = None,
        target_seed: int | None = None,
        noise_seed: int | None = None,
        search_seed: int | None = None,
        sample_seed: int | None = None,
    ) -> None:
        options = _arguments.of_engine(locals())
        path, array = _arguments.split_images(images)
        weights_path, tensors = _arguments.split_weights(weights)
        options.update(data=path, weights=weights_path, search_seed=search_seed, sample_seed=sample_seed)
        self._make({name: value for name, value in options.items() if value is not None}, array, tensors)

    def _make(self, options: dict[str, Any], images: Any, weights: Any) -> None:
        self._options = options
        self._made = _etnas.Engine(_arguments.arguments(options), images, weights)
        self._process = os.getpid()

    @property
    def _native(self) -> _etnas.Engine:
        if os.getpid() != self._process:
            # A fork has no threads but the one that forked: the child makes an engine of its own, and lets the parent's be.
            self._parents, self._made = self._made, self._made.again()
            self._process = os.getpid()
        return self._made

    def score(
        self,
        cells: Cells,
        measures: str | Iterable[str] | None = None,
        *,
        encoding: str = "arch",
        progress: Callable[[int, int], object] | None = None,
    ) -> Scores:
        """The scores of cells, an array for each key of a record: ``index``, ``arch``, ``status``, then the measures asked for in the order of
        :data:`MEASURES` (without a list: all but synflow and utopian) as float64, and with repeats ``NAME_std``.

        naswot is −inf where it is singular, loss_slope NaN where the training diverged. utopian compares the cells of the call. ``encoding`` is
        ``arch`` (strings and indices), ``ops`` or ``naslib``. ``progress`` is called with the number of cells that are done and of all, some
        twenty times a second at most, by the thread that called; what it raises ends the work.
        """
        found = self._native.score(cells, _arguments.names(measures), encoding, progress)
        for key in ("arch", "status"):
            found[key] = np.array(found[key], dtype=np.str_)
        return found

    def stream(
        self,
        cells: Cells,
        measures: str | Iterable[str] | None = None,
        *,
        encoding: str = "arch",
        chunk: int | None = None,
    ) -> Iterator[Scores]:
        """The scores of cells chunk by chunk, each as :meth:`score` gives it, computed when it is asked for. ``chunk`` is a number of cells and
        changes no score; else as many as keep the device busy. utopian, which compares all cells, is refused."""
        asked = _arguments.names(measures)
        self._native.check_stream(asked)
        indices = _etnas.indices(cells, encoding)
        size = self._native.cells_at_a_time() if chunk is None else chunk
        if size < 1:
            raise ValueError(f"chunk: expected a whole number of at least 1, found {size}.")
        return (self.score(indices[i : i + size], asked) for i in range(0, len(indices), size))

    def losses(self, cells: Cells, *, encoding: str = "arch") -> npt.NDArray[np.float64]:
        """The losses of LossSlope's ten steps, a row for each cell; not finite where the training diverges. They are not remembered."""
        return self._native.losses(cells, encoding)

    def forget(self) -> None:
        """Forgets every score, so that the next call computes again. For timings."""
        self._native.forget()

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides a score, as in the metadata of the command line."""
        found: dict[str, Any] = json.loads(self._native.configuration())
        return found

    @property
    def measures(self) -> Mapping[str, Measure]:
        """All measures by key, as this engine defines them."""
        return described(self._options["log_synflow"] == "one-plus")

    @property
    def threads(self) -> int:
        """Worker threads."""
        return self._native.threads()

    @property
    def device_note(self) -> str | None:
        """Why a card that is there is not used though any device would do; None where there is nothing to tell."""
        return self._native.device_note()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._options, self._native.images(), self._native.weights())

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._options.items()]
        return f"etnas.Engine({', '.join(given)})"


def _restored(options: dict[str, Any], images: Any, weights: Any) -> Engine:
    engine = Engine.__new__(Engine)
    engine._make(options, images, weights)
    return engine
