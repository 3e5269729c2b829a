"""Every error that textgenrnn raises on purpose.

One base class, so that ``except TextgenrnnError`` catches them all; each also inherits the
built-in exception that a Python programmer would expect::

    TextgenrnnError
    ├── ConfigError (ValueError)          a setting that is out of range or does not exist
    ├── DataError (ValueError)            text that cannot be used: empty, binary, undecodable
    ├── FileAccessError (OSError)         a file that cannot be read or written
    ├── ModelFileError (ValueError)       a model file of another kind, truncated or inconsistent
    ├── NotTrainedError (RuntimeError)    a model was asked for text before it learned any
    └── MissingExtraError (ImportError)   an optional dependency is not installed

Each message says what was given, what is expected and how to mend it.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DataError",
    "FileAccessError",
    "MissingExtraError",
    "ModelFileError",
    "NotTrainedError",
    "TextgenrnnError",
]


class TextgenrnnError(Exception):
    """Base class of all errors of this package."""


class ConfigError(TextgenrnnError, ValueError):
    """A setting is out of its range, of the wrong type, or unknown."""


class DataError(TextgenrnnError, ValueError):
    """Text cannot be used: it is empty, not text at all, or not in the expected encoding."""


class FileAccessError(TextgenrnnError, OSError):
    """A file or folder cannot be read or written."""


class ModelFileError(TextgenrnnError, ValueError):
    """A model file is of another kind, damaged, or its parts do not fit together."""


class NotTrainedError(TextgenrnnError, RuntimeError):
    """The model has not learned any text yet."""


class MissingExtraError(TextgenrnnError, ImportError):
    """An optional dependency is missing; the message holds the install command."""
