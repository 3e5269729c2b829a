"""Models on disk: one file each, written whole or not at all, read without running any code."""

from __future__ import annotations

from textgenrnn.storage.atomic import atomic_write, check_writable
from textgenrnn.storage.keras_hdf5 import ModelFileWarning
from textgenrnn.storage.model_files import check_savable, load_model, save_model

__all__ = [
    "ModelFileWarning",
    "atomic_write",
    "check_savable",
    "check_writable",
    "load_model",
    "save_model",
]
