import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import count_parameters
from textgenrnn.storage import load_model, save_model

Cli = Callable[..., tuple[int, str, str]]
RECORD = {
    "documents": 5700,
    "targets": 107_678,
    "tokens_seen": 446_901,
    "updates": 444,
    "seconds": 15.2,
    "train_loss": 1.4889,
    "held_out_loss": math.log(2) * 2.064,
    "ended": "minutes",
}


@pytest.fixture
def save(tmp_path: Path, make_model: Callable[..., LanguageModel]) -> Callable[..., Path]:
    def save_with(record: dict[str, object], characters: str = "ab\n東", **config: object) -> Path:
        model = make_model(characters, **config)
        path = tmp_path / "model.safetensors"
        save_model(LanguageModel(model.config, model.parameters, model.tokenizer, record), path)
        return path

    return save_with


def rows(out: str) -> dict[str, str]:
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}


def test_what_a_model_is(cli: Cli, save: Callable[..., Path]) -> None:
    path = save(RECORD, attention=True, context_length=9)
    code, out, err = cli("info", path)
    assert (code, err) == (0, "")
    shown = rows(out)
    assert shown["file"].startswith(f"{path} (")
    assert shown["network"] == "recurrent, 1 layer of 5 LSTM cells, attention over 9"
    assert shown["parameters"] == f"{count_parameters(load_model(path).config):,}"
    assert shown["learned"] == "a collection of texts"
    assert shown["characters"] == r"4: ab\n東"
    assert shown["training"] == "5,700 documents, 107,678 characters, 4.2 passes in 15 s"
    assert shown["held-out"] == "2.064 bits per character"


def test_a_model_of_one_text_without_attention(cli: Cli, save: Callable[..., Path]) -> None:
    shown = rows(cli("info", save({}, single_text=True, num_layers=2)).out)
    assert shown["network"] == "recurrent, 2 layers of 5 LSTM cells"
    assert shown["learned"] == "one long text"
    assert "training" not in shown


@pytest.mark.parametrize("record", [{"documents": 4, "minutes": 0.5}, {"tokens_seen": 3}])
def test_a_record_of_another_kind_is_left_out(
    cli: Cli, save: Callable[..., Path], record: dict[str, object]
) -> None:
    code, out, _ = cli("info", save(record))
    assert code == 0
    assert "training" not in rows(out)


def test_nothing_held_out_nothing_shown(cli: Cli, save: Callable[..., Path]) -> None:
    assert "held-out" not in rows(cli("info", save({**RECORD, "held_out_loss": None})).out)


def test_many_characters_are_cut(cli: Cli, save: Callable[..., Path]) -> None:
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 100)))
    shown = rows(cli("info", save({}, characters)).out)
    assert shown["characters"] == f"100: {characters[:60]} …"


def test_json(cli: Cli, save: Callable[..., Path]) -> None:
    path = save(RECORD)
    values = json.loads(cli("info", path, "--json").out)
    model = load_model(path)
    assert values == {
        "file": str(path),
        "size_bytes": path.stat().st_size,
        "parameters": count_parameters(model.config),
        "config": model.config.to_dict(),
        "characters": "".join(token for token in model.tokenizer.vocabulary.tokens[:-1]),
        "training": RECORD,
    }


def test_no_model(cli: Cli) -> None:
    code, out, err = cli("info", "nope")
    assert (code, out) == (1, "")
    assert err.startswith("textgenrnn: `nope` does not exist; ")
