import io
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import load_model, save_model

Cli = Callable[..., tuple[int, str, str]]
TEXTS = ["Oslo", "Bergen", "Paris", "Nice", "Lyon", "Rome"] * 5
TINY = ("--epochs", 2, "--cells", 8, "--threads", 1, "--seed", 1)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "städte.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces the training by a note of what it was asked for, and an interruption."""
    call: dict[str, Any] = {}

    def train(model: LanguageModel, documents: Any, config: Any, **options: Any) -> Any:
        call.update({"model": model, "documents": documents, "config": config, **options})
        raise KeyboardInterrupt

    monkeypatch.setattr("textgenrnn.training.session.train", train)
    return call


def test_a_model_is_trained_and_saved(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    code, out, err = cli("train", text_file, *TINY)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "städte.txt: 30 documents, 135 characters, utf-8"
    assert lines[1] == "30 texts collected."
    assert lines[2].startswith("Training new model w/ 1-layer, 8-cell LSTMs (")
    assert sum(line.startswith("Epoch ") for line in lines) == 2
    assert lines[-2].startswith("Trained for ")
    assert lines[-1] == (
        "Saved model.safetensors (0.0 MB). Try: textgenrnn generate model.safetensors"
    )
    model = load_model(tmp_path / "model.safetensors")
    assert model.training["ended"] == "epochs"
    code, out, _ = cli("generate", "model.safetensors", "-n", 3)
    assert code == 0


def test_quiet(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    assert cli("train", text_file, *TINY, "-q", "-o", "m.safetensors") == (0, "", "")
    assert (tmp_path / "m.safetensors").exists()


def test_three_minutes_unless_something_else_is_given(
    cli: Cli, text_file: Path, seen: dict[str, Any]
) -> None:
    cli("train", text_file)
    assert (seen["config"].minutes, seen["config"].num_epochs) == (3.0, None)
    assert seen["config"].held_out is None
    assert seen["config"].patience == 10
    assert seen["new"] is False  # from the bundled model, which knows the characters
    cli("train", text_file, "--new")
    assert seen["new"] is True
    cli("train", text_file, "--minutes", 0.5)
    assert seen["config"].minutes == 0.5
    cli("train", text_file, "--epochs", 4)
    assert (seen["config"].minutes, seen["config"].num_epochs) == (None, 4)


def test_every_setting_reaches_the_training(
    cli: Cli, text_file: Path, seen: dict[str, Any]
) -> None:
    options = (
        "--single-text --new --hold-out 0.25 --cells 9 --layers 3 --batch-size 5 "
        "--learning-rate 0.02 --dropout 0.3 --threads 2 --seed 7 --encoding latin-1"
    )
    cli("train", text_file, *options.split())
    model, config = seen["model"].config, seen["config"]
    assert (model.hidden_size, model.num_layers, model.single_text) == (9, 3, True)
    assert (config.held_out, config.batch_size, config.learning_rate) == (0.25, 5, 0.02)
    assert (config.dropout, config.threads, config.seed) == (0.3, 2, 7)
    (text,) = seen["documents"]
    assert text == "\n".join(TEXTS)


@pytest.mark.parametrize(("option", "first"), [("--header", "Bergen"), ("--no-header", "Oslo")])
def test_the_first_line(
    cli: Cli, text_file: Path, seen: dict[str, Any], option: str, first: str
) -> None:
    cli("train", text_file, option)
    assert seen["documents"][0] == first


def test_standard_input(cli: Cli, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Oslo\nNürnberg".encode())))
    _, out, _ = cli("train", "-")
    assert seen["documents"] == ("Oslo", "Nürnberg")
    assert out.startswith("standard input: 2 documents, 12 characters, utf-8\n")


@pytest.mark.parametrize("single_text", [False, True])
def test_a_model_to_go_on_from(
    cli: Cli,
    text_file: Path,
    make_model: Callable[..., LanguageModel],
    seen: dict[str, Any],
    single_text: bool,
) -> None:
    start = make_model("".join(TEXTS), single_text=single_text)
    save_model(start, "start.safetensors")
    cli("train", text_file, "--from", "start.safetensors", "-o", "next.safetensors")
    assert seen["new"] is False
    assert seen["model"].config == start.config
    assert len(seen["documents"]) == (1 if single_text else 30)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--minutes -1", "--minutes must be a number of minutes above 0, got -1.0."),
        ("--minutes nan", "--minutes must be a number of minutes above 0, got nan."),
        ("--epochs 0", "--epochs must be a whole number of at least 1, got 0."),
        ("--minutes 1 --epochs 2", "give either --minutes or --epochs, not both."),
        ("--hold-out 0.7", "--hold-out must be in [0, 0.5], got 0.7."),
        ("--hold-out nan", "--hold-out must be in [0, 0.5], got nan."),
        ("--cells 0", "--cells must be a whole number of at least 1, got 0."),
        ("--layers -2", "--layers must be a whole number of at least 1, got -2."),
        ("--batch-size 0", "--batch-size must be a whole number of at least 1, got 0."),
        ("--learning-rate 7", "--learning-rate must be in (0, 1], got 7.0."),
        ("--dropout 1", "--dropout must be in [0, 0.9], got 1.0."),
        ("--threads 0", "--threads must be a whole number of at least 1, got 0."),
        ("--seed -5", "--seed must be a whole number of at least 0, got -5."),
        (
            "--encoding utf-9",
            "--encoding must be the name of a text encoding, got 'utf-9' (did you mean `utf_8`?); "
            "None finds the encoding by itself.",
        ),
        (
            "--new --from model.safetensors",
            "--new starts from nothing and --from from a model; give one of them.",
        ),
        (
            "--cells 9 --from model.safetensors",
            "--cells and --layers shape a new model; a model given by --from has its own.",
        ),
        ("-o städte.txt -f", "`städte.txt` is the text to learn; give another file as the output."),
    ],
)
def test_wrong_usage(
    cli: Cli, text_file: Path, seen: dict[str, Any], options: str, error: str
) -> None:
    before = text_file.read_bytes()
    code, out, err = cli("train", text_file, *options.split())
    assert (code, out, err) == (2, "", f"textgenrnn: {error}\n")
    assert not seen
    assert text_file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nope.txt", None, "`nope.txt` does not exist; "),
        ("empty.txt", b"", "`empty.txt` is empty, expected text, one document a line."),
        ("blank.txt", b" \n\n", "`blank.txt` holds blank lines only, expected text, "),
        ("image.txt", b"\x89PNG\r\n\x1a\n\0\0", "`image.txt` looks like a PNG image, expected "),
        ("binary.dat", b"a\0b\0\xff", "`binary.dat` holds NUL bytes, so it looks like a binary "),
        (".", None, "`.` is a folder, expected a file; "),
    ],
)
def test_files_that_are_no_texts(
    cli: Cli, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = cli("train", name)
    assert (code, out) == (1, "")
    assert err.startswith(f"textgenrnn: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/such/folder.safetensors", "cannot write `no/such/folder.safetensors`: the folder "),
        ("taken", "`taken` exists; give --force to replace it, or another --output."),
        (f"{'x' * 300}.safetensors", f"cannot write `{'x' * 300}.safetensors`: "),
    ],
)
def test_outputs_that_cannot_be_written(
    cli: Cli, text_file: Path, seen: dict[str, Any], output: str, message: str
) -> None:
    Path("taken").write_bytes(b"somebody's work")
    code, out, err = cli("train", text_file, "-o", output)
    assert (code, out) == (1, "")
    assert err.startswith(f"textgenrnn: {message}")
    assert err.count("\n") == 1
    assert not seen
    assert Path("taken").read_bytes() == b"somebody's work"


def test_a_folder_is_no_output(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code, _, err = cli("train", text_file, "-o", "folder", "--force")
    assert code == 1
    assert err.startswith("textgenrnn: cannot write `folder`: it is a folder, expected a file; ")


def test_force_replaces_an_output(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"old")
    assert cli("train", text_file, "-o", "taken", "--force", *TINY).code == 0
    assert load_model(tmp_path / "taken").config.hidden_size == 8


def test_a_disk_that_is_full_in_the_end(
    cli: Cli, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textgenrnn.training import session

    def save(model: LanguageModel, path: Path) -> None:
        if Path(path).name == "full.safetensors":
            raise session.FileAccessError(f"no space left to write `{path}`.")
        save_model(model, path)

    monkeypatch.setattr(session, "save_model", save)
    code, _, err = cli("train", text_file, "-o", "full.safetensors", *TINY)
    (rescued,) = tmp_path.glob("rescued-*-full.safetensors")
    assert code == 1
    assert err == (
        "textgenrnn: no space left to write `full.safetensors`. The model is in "
        f"`{rescued.name}` instead.\n"
    )
    assert load_model(rescued).training["ended"] == "epochs"


def test_ctrl_c_before_anything_was_learned(
    cli: Cli, text_file: Path, tmp_path: Path, seen: dict[str, Any]
) -> None:
    code, _, err = cli("train", text_file)
    assert (code, err) == (130, "textgenrnn: interrupted before anything was learned\n")
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_it_and_keep_the_model(
    cli: Cli, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"no {name} on this system")
    from textgenrnn.training.display import PlainDisplay

    show_epoch = PlainDisplay.epoch_ended

    def epoch_ended(display: PlainDisplay, *arguments: Any) -> None:
        show_epoch(display, *arguments)
        signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr(PlainDisplay, "epoch_ended", epoch_ended)
    code, out, err = cli("train", text_file, "--epochs", 30, *TINY[2:])
    assert (code, err) == (130, "")
    assert out.count("Epoch ") == 1
    assert "interrupted; the best model so far is kept." in out
    assert "Saved model.safetensors" in out
    assert load_model(tmp_path / "model.safetensors").training["ended"] == "interrupted"
