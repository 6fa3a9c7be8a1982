"""The file of a sweep, as the program keeps it: whole records in order, metadata beside them, a lock while somebody writes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _records
from ._errors import DataError, FileError, OptionsError

try:
    import fcntl
except ImportError:  # no flock on this system: nothing keeps a second writer away
    fcntl = None  # type: ignore[assignment]

#: Seconds between the times at which records are sent to the disk itself.
_SYNC_EVERY = 1.0
#: Metadata that do not keep a sweep from going on.
_MAY_GROW = ("selection", "cells", "complete")


class SweepFile:
    """A file that records are appended to. Nothing of it is changed before :meth:`append` or :meth:`finish`."""

    def __init__(self, path: str | os.PathLike[str], *, resume: bool, force: bool) -> None:
        self.path = Path(path)
        self.beside = self.path.with_name(self.path.name + ".meta.json")
        self._created, self._descriptor = _open(self.path)
        self._kept = 0
        self._announced: str | None = None
        self._synced = time.monotonic()
        held = os.fstat(self._descriptor).st_size
        if held and not resume and not force:
            self.close()
            raise OptionsError(
                f"The file {self.path}: expected a file that does not exist yet, found one of {held} bytes. "
                "Give resume=True to go on with the sweep that it holds, or force=True to replace it."
            )

    def metadata(self) -> dict[str, Any] | None:
        """The metadata of the records that the file holds; None where it holds none."""
        if not os.fstat(self._descriptor).st_size:
            return None
        try:
            known = json.loads(self.beside.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"{self.path}: expected its metadata in {self.beside}, found no such file. Without them nobody knows by which "
                "options it was made: compute it again, or bring the metadata back."
            ) from None
        except (ValueError, OSError) as broken:
            raise DataError(
                f"{self.beside}: expected the metadata of a sweep, found {broken}. Bring them back, or compute the scores again."
            ) from None
        if not isinstance(known, dict):
            raise DataError(f"{self.beside}: expected the metadata of a sweep, found something else. Compute the scores again.")
        return known

    def keep(self, known: dict[str, Any], ours: dict[str, Any], indices: Sequence[int]) -> int:
        """Keeps the whole records that the file begins with, which must be those of these cells made alike, and tells how many they are.
        Backends and kernel sets that are told together in ours (``cpu + cuda``) may be one of them in the file."""
        if isinstance(known.get("configuration"), dict):
            configuration: dict[str, Any] = dict(known["configuration"])
            for place in ("backend", "kernel_set"):
                there, here = configuration.get(place), ours["configuration"][place]
                if isinstance(there, str) and set(there.split(" + ")) < set(here.split(" + ")):
                    configuration[place] = here
            known = {**known, "configuration": configuration}
        if differ := _records.difference(ours, known, _MAY_GROW):
            name, here, there = differ
            raise OptionsError(
                f"Resuming {self.path}: expected {name} {there}, with which it was begun, found {here}. "
                "Give the same options, or another file."
            )
        wanted = [measure["key"] for measure in ours["measures"]]
        count = 0
        with open(self.path, "rb") as file:
            for line in file:
                # What a dying process leaves: a last line without its end, or zeros.
                if not line.endswith(b"\n") or b"\0" in line:
                    break
                self._check(line, count, wanted, indices)
                self._kept += len(line)
                count += 1
        return count

    def _check(self, line: bytes, count: int, wanted: Sequence[str], indices: Sequence[int]) -> None:
        try:
            record = json.loads(line)
            found = [key for key in record if not key.endswith("_std")]
            index = record["index"]
        except (ValueError, TypeError, KeyError):
            found, index = [], None
        if found != [*_records.OPENING, *wanted]:
            raise DataError(
                f"{self.path}: expected a record with the keys {', '.join([*_records.OPENING, *wanted])} on line {count + 1}, "
                f"found {line[:100]!r}. Correct the line, or remove it and all that follow and resume."
            )
        if count >= len(indices) or indices[count] != index:
            asked = f"that of cell {indices[count]}" if count < len(indices) else "none"
            raise OptionsError(
                f"Resuming {self.path}: expected as record {count + 1} {asked}, found that of cell {index}. "
                "Ask for the cells that it was begun with, in their order; more may follow them."
            )

    def append(self, records: str, metadata: dict[str, Any]) -> None:
        """Appends whole records, with what their metadata are from now on."""
        text = _records.pretty(metadata)
        if self._announced is None:
            os.ftruncate(self._descriptor, self._kept)
            os.lseek(self._descriptor, self._kept, os.SEEK_SET)
        if self._announced != text:
            self._replace(text)
        data = records.encode()
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._kept)
            raise
        self._kept += len(data)
        if time.monotonic() - self._synced >= _SYNC_EVERY:
            os.fsync(self._descriptor)
            self._synced = time.monotonic()

    def finish(self, metadata: dict[str, Any]) -> None:
        """Puts the final metadata beside the records."""
        os.ftruncate(self._descriptor, self._kept)
        os.fsync(self._descriptor)
        self._replace(_records.pretty(metadata))

    def close(self) -> None:
        """Lets the file go, and takes it away if it is new and nothing was written."""
        if self._created and self._announced is None:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _replace(self, text: str) -> None:
        """Replaces the metadata: before or after, never half."""
        part = self.beside.with_name(self.beside.name + ".part")
        with open(part, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self.beside)
        self._announced = text


def _open(path: Path) -> tuple[bool, int]:
    """Whether the file is new, and its descriptor, which holds the lock."""
    for _ in range(100):
        created = not path.exists()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as failure:
            raise FileError(f"{path} cannot be written: {failure.strerror}.") from failure
        if fcntl is None:
            return created, descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OptionsError(
                f"The file {path}: expected a file that no other process writes, found one that a running process is writing. "
                "Wait until that process ends, or choose another file."
            ) from None
        except OSError:
            # A file system without locks.
            return created, descriptor
        # Whoever ends without a record removes its file, perhaps between our opening and locking it: then again.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return created, descriptor
        os.close(descriptor)
    raise FileError(f"{path} cannot be written: other processes make and remove it all the time.")
