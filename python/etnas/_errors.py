"""What can go wrong. The text of each is the sentence that the command line says."""

from __future__ import annotations


class Error(Exception):
    """Everything that etnas refuses or fails at."""


class OptionsError(Error, ValueError):
    """An option's value, a name, or a combination of options that cannot be carried out."""


class CellError(Error, ValueError):
    """A cell that cannot be read."""


class DataError(Error, ValueError):
    """Images, weights, a table or a score file that is not what it should be."""


class FileError(Error, OSError):
    """A file that cannot be read or written."""


class MissingFileError(FileError, FileNotFoundError):
    """A file that is not there."""


class DeviceError(Error, RuntimeError):
    """A device that cannot be had, or that failed."""


class InternalError(Error, RuntimeError):
    """A fault of etnas."""
