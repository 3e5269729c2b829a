import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textgenrnn.config import TrainConfig
from textgenrnn.errors import FileAccessError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import load_model, save_model
from textgenrnn.text import make_corpus
from textgenrnn.training import session
from textgenrnn.training.loop import TrainResult
from textgenrnn.training.session import run_session, save_or_rescue

TEXTS = ["Oslo", "Bergen", "Paris", "Nice", "Lyon", "Rome"] * 5
CONFIG = TrainConfig(num_epochs=2, seed=1, threads=1, held_out=0.2)


@pytest.fixture
def model(make_model: Callable[..., LanguageModel]) -> LanguageModel:
    return make_model("".join(TEXTS))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty folders: where the output goes, the current one, home and that of temporary files."""
    made = {}
    for name in ("output", "here", "home", "temporary"):
        made[name] = tmp_path / name
        made[name].mkdir()
    monkeypatch.chdir(made["here"])
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(made["home"]))
    monkeypatch.setattr(session.tempfile, "gettempdir", lambda: str(made["temporary"]))
    return made


def run(model: LanguageModel, config: TrainConfig = CONFIG, **options: Any) -> list[TrainResult]:
    results: list[TrainResult] = []
    arguments = {"new": True, "take": results.append, "started": 0.0, **options}
    run_session(model, make_corpus(TEXTS), config, **arguments)
    return results


def disk_is_full(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Let saving fail in these folders, and in the places that lead there."""

    def save(model: LanguageModel, path: Path) -> None:
        if Path(path).parent.resolve() in [folder.resolve() for folder in folders]:
            raise FileAccessError(f"no space left to write `{path}`.")
        save_model(model, path)

    monkeypatch.setattr(session, "save_model", save)


def same(first: LanguageModel, second: LanguageModel) -> bool:
    return all(np.array_equal(first.parameters[k], second.parameters[k]) for k in first.parameters)


def test_the_result_is_taken_and_saved(model: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    (result,) = run(model, output=path, show=False)
    assert same(load_model(path), result.model)
    assert dict(load_model(path).training) == dict(result.model.training)


def test_what_is_said(model: LanguageModel, capsys: pytest.CaptureFixture[str]) -> None:
    run(model)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "30 documents, 135 characters"
    assert lines[1] == "30 texts collected."
    assert lines[2].startswith("Training new model w/ 1-layer, 5-cell LSTMs (")
    assert lines[2].endswith(f" {model.config.vocab_size - 2} characters)")
    assert lines[3].startswith("Training on ")
    assert [line[:10] for line in lines if line.startswith("Epoch")] == ["Epoch 1/2 ", "Epoch 2/2 "]
    assert lines[-1].startswith("Trained for ")
    assert " bits per character on held-out text (" in lines[-1]


def test_a_trained_model_is_not_called_new(
    model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    run(model, new=False)
    assert "new model" not in capsys.readouterr().out


def test_nothing_is_said_unless_it_is_to_be_shown(
    model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    run(model, show=False, gen_epochs=1, show_samples=lambda _: print("a sample"))
    assert capsys.readouterr() == ("", "")


def test_samples_come_with_the_epochs(
    model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[LanguageModel] = []
    run(model, CONFIG.replace(num_epochs=4), gen_epochs=2, show_samples=shown.append)
    assert len(shown) == 2
    assert "it writes" not in capsys.readouterr().out


def test_without_validation_the_held_out_texts_are_not_learned_either(
    model: LanguageModel,
) -> None:
    (scored,), (unscored,) = run(model), run(model, validation=False)
    assert unscored.held_out_loss is None
    assert scored.held_out_loss is not None
    assert unscored.model.training["documents"] == scored.model.training["documents"] == 24


def test_samples_of_a_long_text_are_a_few_lines(
    make_chain: Callable[..., LanguageModel],
) -> None:
    chain = {"<s>": {"a": 1.0}, "a": {"\n": 1.0}, "\n": {"a": 1.0}}
    lines = session._short_samples(make_chain(chain, single_text=True))
    assert lines == ["a"] * 8
    chain = {"<s>": {"a": 1.0}, "a": {"b": 1.0}, "b": {"<s>": 1.0}}
    assert session._short_samples(make_chain(chain)) == ["ab"] * 3


def test_ctrl_c_does_not_interrupt_saving(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_save(model: LanguageModel, path: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        save_model(model, path)

    monkeypatch.setattr(session, "save_model", slow_save)
    path = tmp_path / "model.safetensors"
    (result,) = run(model, output=path, show=False)
    assert same(load_model(path), result.model)


def test_a_closed_output_does_not_end_the_training(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ClosedPipe:
        encoding = "utf-8"
        lines = 0

        def write(self, text: str) -> int:
            self.lines += text.count("\n")
            if self.lines > 4:  # four are read, and then no more
                raise BrokenPipeError
            return len(text)

        def flush(self) -> None:
            pass

    pipe = ClosedPipe()
    monkeypatch.setattr(sys, "stdout", pipe)
    path = tmp_path / "model.safetensors"
    with pytest.raises(BrokenPipeError):
        run(model, output=path)
    assert load_model(path).training["ended"] == "epochs"
    assert pipe.lines > 4


# When the model cannot be written where it was to be


def test_a_model_that_does_not_fit_is_rescued_beside(
    model: LanguageModel, places: dict[str, Path]
) -> None:
    target = places["output"] / "model.safetensors"
    target.mkdir()  # somebody made a folder of this name meanwhile
    with pytest.raises(FileAccessError) as caught:
        save_or_rescue(model, target)
    (rescued,) = [path for path in places["output"].iterdir() if path != target]
    assert str(caught.value) == (
        f"cannot write `{target}`: it is a folder, expected a file; give a file name in it. "
        f"The model is in `{rescued}` instead."
    )
    assert same(load_model(rescued), model)


@pytest.mark.parametrize(
    ("full", "place"),
    [
        (["output"], "here"),
        (["output", "here"], "home"),
        (["output", "here", "home"], "temporary"),
    ],
)
def test_a_model_is_rescued_where_there_is_room(
    model: LanguageModel,
    places: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    full: list[str],
    place: str,
) -> None:
    disk_is_full(monkeypatch, *(places[name] for name in full))
    with pytest.raises(FileAccessError, match=r"^no space left .* The model is in `.*` instead\.$"):
        save_or_rescue(model, places["output"] / "model.safetensors")
    left = {name: list(folder.iterdir()) for name, folder in places.items()}
    (rescued,) = left.pop(place)
    assert same(load_model(rescued), model)
    assert rescued.name.endswith("-model.safetensors")
    assert not any(left.values())


def test_where_nothing_helps_the_first_error_is_told(
    model: LanguageModel, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_is_full(monkeypatch, *places.values())
    with pytest.raises(
        FileAccessError, match=r"^no space left to write `[^`]*model\.safetensors`\.$"
    ):
        save_or_rescue(model, places["output"] / "model.safetensors")


def test_the_result_is_taken_before_it_is_saved(
    model: LanguageModel, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_is_full(monkeypatch, *places.values())
    results: list[TrainResult] = []
    with pytest.raises(FileAccessError):
        run(model, take=results.append, output=places["output"] / "model.safetensors", show=False)
    assert len(results) == 1
