"""The command line in this process, its traces in the process removed afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from textgenrnn.cli.app import run
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import save_model


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Outcome]]:
    """Return a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEXTGENRNN_DEBUG", raising=False)
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {name: signal.getsignal(getattr(signal, name)) for name in names}

    def run_cli(*arguments: str | Path) -> Outcome:
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    yield run_cli
    os.environ.pop("TEXTGENRNN_DEBUG", None)
    for name, handler in handlers.items():
        signal.signal(getattr(signal, name), handler)


@pytest.fixture
def model_file(tmp_path: Path, make_model: Callable[..., LanguageModel]) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(make_model("abcdefgh", hidden_size=7), path)
    return path
