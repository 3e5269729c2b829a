import inspect
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textgenrnn import textgenrnn
from textgenrnn.config import ModelConfig
from textgenrnn.errors import (
    ConfigError,
    DataError,
    FileAccessError,
    ModelFileError,
    NotTrainedError,
)
from textgenrnn.network.model import LanguageModel
from textgenrnn.pretrained import load_base
from textgenrnn.storage import load_model, save_model
from textgenrnn.training import loop

TEXTS = ["Oslo", "Bergen", "Paris", "Nice", "Lyon", "Rome"] * 5
TINY = {"rnn_size": 8, "rnn_layers": 1, "dim_embeddings": 4, "verbose": 0, "threads": 1, "seed": 1}


@pytest.fixture
def model_file(tmp_path: Path, make_model: Callable[..., LanguageModel]) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(make_model("".join(TEXTS), hidden_size=7), path)
    return path


@pytest.fixture
def textgen(model_file: Path) -> textgenrnn:
    return textgenrnn(model_file)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "städte.txt"
    path.write_text("title\n" + "\n".join(TEXTS) + "\n\n", encoding="utf-8")
    return path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the training by a note of what it was asked for; the model comes back as it is."""
    calls: list[dict[str, Any]] = []

    def train(model: LanguageModel, documents: Any, config: Any, **options: Any) -> Any:
        calls.append({"model": model, "documents": documents, "config": config, **options})
        raise StopIteration

    monkeypatch.setattr("textgenrnn.training.session.train", train)
    return calls


def asked(method: Callable[..., None], *arguments: Any, **options: Any) -> None:
    with pytest.raises(StopIteration):
        method(*arguments, **options)


# Training


def test_training_leaves_a_model_that_writes() -> None:
    textgen = textgenrnn(pretrained=None)
    textgen.train_on_texts(TEXTS, num_epochs=2, **TINY)
    assert textgen.last_training is not None
    assert textgen.last_training.reason == "epochs"
    assert textgen.language_model is textgen.last_training.model
    texts = textgen.generate(5, return_as_list=True, seed=3)
    assert len(texts) == 5


def test_the_originals_defaults(seen: list[dict[str, Any]]) -> None:
    asked(textgenrnn(pretrained=None).train_on_texts, TEXTS, verbose=0)
    config: ModelConfig = seen[0]["model"].config
    assert (config.num_layers, config.hidden_size, config.embedding_size) == (2, 128, 100)
    assert config.context_length == 40
    assert seen[0]["config"].num_epochs == 50
    assert seen[0]["config"].minutes is None
    assert seen[0]["config"].held_out == 0.0
    assert seen[0]["config"].patience is None
    assert inspect.signature(textgenrnn.generate).parameters["temperature"].default == 0.5


def test_minutes_plan_the_size_and_hold_out_a_share(seen: list[dict[str, Any]]) -> None:
    asked(textgenrnn(pretrained=None).train_on_texts, TEXTS, minutes=2, verbose=0)
    assert seen[0]["model"].config.num_layers == 1
    assert seen[0]["model"].config.embedding_size != 100
    assert seen[0]["config"].minutes == 2
    assert seen[0]["config"].held_out is None  # planned


def test_size_auto_plans_the_size_alone(seen: list[dict[str, Any]]) -> None:
    asked(
        textgenrnn(pretrained=None).train_on_texts,
        TEXTS,
        size="auto",
        num_epochs=7,
        rnn_size=33,
        verbose=0,
    )
    config: ModelConfig = seen[0]["model"].config
    assert (config.num_layers, config.hidden_size) == (1, 33)  # what is given stays
    assert seen[0]["config"].num_epochs == 7


def test_sizes_and_settings_are_passed_on(seen: list[dict[str, Any]]) -> None:
    asked(
        textgenrnn(pretrained=None).train_on_texts,
        TEXTS,
        rnn_layers=3,
        rnn_size=9,
        dim_embeddings=5,
        max_length=11,
        max_words=4,
        attention=False,
        train_size=0.75,
        batch_size=6,
        learning_rate=0.01,
        dropout=0.3,
        threads=2,
        patience=4,
        seed=8,
        precision="fp32",
        verbose=0,
    )
    model, settings = seen[0]["model"].config, seen[0]["config"]
    assert (model.num_layers, model.hidden_size, model.embedding_size) == (3, 9, 5)
    assert (model.context_length, model.attention, model.vocab_size) == (11, False, 4 + 2)
    assert settings.held_out == pytest.approx(0.25)
    assert (settings.batch_size, settings.learning_rate, settings.dropout) == (6, 0.01, 0.3)
    assert (settings.threads, settings.patience, settings.seed) == (2, 4, 8)
    assert settings.precision == "fp32"
    assert seen[0]["new"] is True


def test_a_model_goes_on_learning(textgen: textgenrnn, seen: list[dict[str, Any]]) -> None:
    model = textgen.language_model
    asked(textgen.train_on_texts, TEXTS, verbose=0)
    assert seen[0]["model"] is model
    assert seen[0]["new"] is False
    asked(textgen.train_on_texts, TEXTS, new_model=True, verbose=0)
    asked(textgen.train_new_model, TEXTS, verbose=0)
    assert [call["new"] for call in seen] == [False, True, True]
    assert seen[1]["model"] is not model


@pytest.mark.parametrize(
    "texts", [iter(TEXTS), (text for text in TEXTS), tuple(TEXTS), np.array(TEXTS)]
)
def test_texts_may_come_in_any_collection(texts: Any, seen: list[dict[str, Any]]) -> None:
    asked(textgenrnn(pretrained=None).train_on_texts, texts, verbose=0)
    assert list(seen[0]["documents"]) == TEXTS


def test_a_file_is_read_line_by_line(text_file: Path, seen: list[dict[str, Any]]) -> None:
    asked(textgenrnn(pretrained=None).train_from_file, text_file, verbose=0)
    asked(textgenrnn(pretrained=None).train_from_file, str(text_file), header=False, verbose=0)
    asked(textgenrnn(pretrained=None).train_from_file, text_file, single_text=True, verbose=0)
    asked(textgenrnn(pretrained=None).train_from_largetext_file, text_file, verbose=0)
    assert list(seen[0]["documents"]) == TEXTS
    assert list(seen[1]["documents"]) == ["title", *TEXTS]
    assert list(seen[2]["documents"]) == [text_file.read_text(encoding="utf-8")]
    assert list(seen[3]["documents"]) == list(seen[2]["documents"])
    assert [call["model"].config.single_text for call in seen] == [False, False, True, True]


def test_the_encoding_may_be_named(tmp_path: Path, seen: list[dict[str, Any]]) -> None:
    path = tmp_path / "gbk.txt"
    path.write_bytes("花落知多少".encode("gbk"))
    asked(textgenrnn(pretrained=None).train_from_file, path, encoding="gbk", verbose=0)
    assert list(seen[0]["documents"]) == ["花落知多少"]


def test_standard_input_is_a_file_too(
    monkeypatch: pytest.MonkeyPatch, seen: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Oslo\nNürnberg".encode())))
    asked(textgenrnn(pretrained=None).train_from_file, "-", verbose=0)
    assert list(seen[0]["documents"]) == ["Oslo", "Nürnberg"]


def test_a_model_of_one_text_stays_one(
    tmp_path: Path,
    text_file: Path,
    make_model: Callable[..., LanguageModel],
    seen: list[dict[str, Any]],
) -> None:
    save_model(make_model("".join(TEXTS), single_text=True), tmp_path / "book.safetensors")
    textgen = textgenrnn(tmp_path / "book.safetensors")
    asked(textgen.train_from_file, text_file, verbose=0)
    assert len(seen[0]["documents"]) == 1
    with pytest.raises(ConfigError, match=r"^the present model learned one long text and cannot "):
        textgen.train_from_file(text_file, single_text=False)
    asked(textgen.train_from_file, text_file, single_text=False, new_model=True, verbose=0)
    assert len(seen[1]["documents"]) == 30


def test_a_book_can_teach_a_model_of_many_texts(
    textgen: textgenrnn, text_file: Path, seen: list[dict[str, Any]]
) -> None:
    asked(textgen.train_from_largetext_file, text_file, new_model=False, verbose=0)
    assert seen[0]["new"] is False
    assert len(seen[0]["documents"]) == 1


def test_the_output_is_written(tmp_path: Path, text_file: Path) -> None:
    path = tmp_path / "новый.safetensors"
    textgen = textgenrnn(pretrained=None)
    textgen.train_from_file(text_file, num_epochs=1, output=path, **TINY)
    assert textgenrnn(path).generate(3, return_as_list=True, seed=1) == textgen.generate(
        3, return_as_list=True, seed=1
    )


def test_what_is_printed_while_it_learns(capsys: pytest.CaptureFixture[str]) -> None:
    textgen = textgenrnn(pretrained=None)
    textgen.train_on_texts(
        TEXTS, num_epochs=2, gen_epochs=2, max_gen_length=5, **{**TINY, "verbose": 1}
    )
    output = capsys.readouterr().out
    assert output.startswith(
        "30 documents, 135 characters\n30 texts collected.\n"
        "Training new model w/ 1-layer, 8-cell LSTMs ("
    )
    assert "\nTraining on 165 character sequences.\n" in output
    assert output.count("Epoch ") == 2
    # Samples at the end of the second epoch only, at three temperatures.
    assert output.count("#" * 20 + "\nTemperature: ") == 3
    assert output.index("Epoch 2/2") < output.index("Temperature: 0.2")
    assert output.splitlines()[-1].startswith("Trained for ")


def test_quiet_means_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    textgenrnn(pretrained=None).train_on_texts(TEXTS, num_epochs=1, **TINY)
    assert capsys.readouterr() == ("", "")


def test_a_model_stays_until_there_is_a_better_one(
    textgen: textgenrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = textgen.language_model
    during: list[LanguageModel] = []

    def broken_status(_: object) -> None:
        during.append(textgen.language_model)
        raise RuntimeError("a bug")

    monkeypatch.setattr(loop._Run, "_status", broken_status)
    with pytest.raises(RuntimeError, match="a bug"):
        textgen.train_on_texts(TEXTS, num_epochs=1, verbose=0)
    assert during
    assert all(model is before for model in during)
    assert textgen.language_model is before


def test_samples_while_it_learns_are_of_another_instance(
    textgen: textgenrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = textgen.language_model
    samplers: list[textgenrnn] = []

    def note(sampler: textgenrnn, **_: object) -> None:
        samplers.append(sampler)
        assert sampler.language_model is not before
        assert textgen.language_model is before  # it may be writing in another thread

    monkeypatch.setattr(textgenrnn, "generate_samples", note)
    textgen.train_on_texts(TEXTS, num_epochs=2, threads=1)
    assert len(samplers) == 2
    assert textgen.language_model is not before


# What training refuses, before it reads or learns anything


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 1, "num_epochs": 2}, r"^give either `num_epochs` or `minutes`, not both"),
        ({"minutes": -1}, r"^`minutes` must be a number of minutes above 0, got -1\."),
        ({"minutes": "3"}, r"^`minutes` must be a number of minutes above 0, got '3'\."),
        ({"num_epochs": 0}, r"^`num_epochs` must be a whole number of at least 1, got 0\."),
        ({"train_size": 0.2}, r"^`train_size` must be in \[0\.5, 1\], got 0\.2; "),
        ({"train_size": "0.9"}, r"^`train_size` must be in \[0\.5, 1\], got '0\.9'; "),
        ({"train_size": float("nan")}, r"^`train_size` must be in \[0\.5, 1\], got nan; "),
        ({"batch_size": 0}, r"^`batch_size` must be a whole number of at least 1, got 0\."),
        ({"learning_rate": 5}, r"^`learning_rate` must be in \(0, 1\], got 5\."),
        ({"dropout": 1.0}, r"^`dropout` must be in \[0, 0\.9\], got 1\.0\."),
        (
            {"precision": "bf61"},
            r"^`precision` must be one of .*, got 'bf61' \(did you mean `bf16`",
        ),
        ({"threads": 0}, r"^`threads` must be a whole number of at least 1, got 0\."),
        ({"seed": -1}, r"^`seed` must be a whole number of at least 0, got -1\."),
        ({"gen_epochs": -1}, r"^`gen_epochs` must be a whole number of at least 0, got -1\."),
        ({"max_gen_length": 0}, r"^`max_gen_length` must be a whole number of at least 1, got 0\."),
        ({"max_words": 0}, r"^`max_words` must be a whole number of at least 1, got 0\."),
        (
            {"output": "no/folder.safetensors"},
            r"^cannot write `no/folder\.safetensors`: the folder",
        ),
    ],
)
def test_settings_out_of_range_are_refused_first(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, FileAccessError), match=message):
        # The file does not exist: that would be found out later.
        textgenrnn(pretrained=None).train_from_file("missing.txt", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rnn_size": 0}, r"^`rnn_size` must be a whole number of at least 1, got 0\."),
        ({"rnn_layers": 1.5}, r"^`rnn_layers` must be a whole number of at least 1, got 1\.5\."),
        ({"dim_embeddings": -3}, r"^`dim_embeddings` must be a whole number of at least 1, got -3"),
        ({"max_length": 0}, r"^`max_length` must be a whole number of at least 1, got 0\."),
    ],
)
def test_sizes_are_called_what_the_caller_called_them(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        textgenrnn(pretrained=None).train_on_texts(TEXTS, verbose=0, **options)


@pytest.mark.parametrize(
    "method", ["train_from_file", "train_from_largetext_file", "train_new_model"]
)
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("num_epoch", r" \(did you mean `num_epochs`\?\)"),
        ("zzz", ""),
    ],
)
def test_unknown_arguments_of_training_are_refused(method: str, name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"^there is no argument `{name}`{hint}\.$"):
        getattr(textgenrnn(pretrained=None), method)("missing.txt", **{name: 3})


def test_a_file_is_no_place_for_texts() -> None:
    with pytest.raises(ConfigError, match=r"^there is no argument `texts`\.$"):
        textgenrnn(pretrained=None).train_from_file("missing.txt", texts=TEXTS)


def test_an_argument_of_the_file_is_suggested_too() -> None:
    with pytest.raises(ConfigError, match=r"`encodin` \(did you mean `encoding`\?\)"):
        textgenrnn(pretrained=None).train_from_file("missing.txt", encodin="gbk")


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one string", ConfigError, r"^`texts` must be a list of strings, got one str; "),
        (
            [],
            DataError,
            r"^`texts` must hold at least one text that is not blank, got an empty list",
        ),
        (["", " "], DataError, r"^`texts` must hold at least one text .*, all 2 of them are blank"),
        (["a", 3], DataError, r"^`texts\[1\]` must be a string, got int"),
        (None, ConfigError, r"^`texts` must be a list of strings, got NoneType"),
    ],
)
def test_texts_that_are_none_are_refused(texts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        textgenrnn(pretrained=None).train_on_texts(texts, verbose=0)


def test_the_text_is_never_the_output_too(text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(text_file.parent)
    before = text_file.read_bytes()
    with pytest.raises(ConfigError, match=r"`städte\.txt` is the text to learn; give another file"):
        textgenrnn(pretrained=None).train_from_file(text_file, output=text_file.name)
    assert text_file.read_bytes() == before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"nope\.txt` does not exist"):
        textgenrnn(pretrained=None).train_from_file(tmp_path / "nope.txt")


# Generation


def test_texts_are_printed_or_returned(
    textgen: textgenrnn, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = textgen.generate(3, return_as_list=True, seed=1)
    assert capsys.readouterr().out == ""
    assert textgen.generate(3, seed=1) is None
    assert capsys.readouterr().out == "".join(f"{text}\n\n" for text in texts)
    assert len(textgen.generate(return_as_list=True)) == 1


def test_the_originals_order_of_arguments(textgen: textgenrnn) -> None:
    texts = textgen.generate(2, True, "Os", 0.9, 12)
    assert all(text.startswith("Os") and len(text) <= 12 for text in texts)
    named = textgen.generate(
        n=2, return_as_list=True, prefix="Os", temperature=[1.0, 0.5], max_gen_length=12, seed=2
    )
    assert named == textgen.generate(2, True, "Os", [1.0, 0.5], 12, seed=2, batch_size=1)


def test_results_tell_why_a_text_ended(textgen: textgenrnn) -> None:
    seen: list[str] = []
    results = textgen.generate_results(
        4,
        prefix="x",
        max_gen_length=8,
        min_gen_length=8,
        seed=1,
        on_result=lambda result: seen.append(result.text),
    )
    assert [result.finish_reason for result in results] == ["length"] * 4
    assert [len(result.text) for result in results] == [8] * 4
    assert [result.text for result in results] == seen


def test_a_stream_gives_the_text_in_pieces(textgen: textgenrnn) -> None:
    pieces = textgen.stream(prefix="Ro", max_gen_length=20, min_gen_length=20, seed=4)
    assert isinstance(pieces, Iterator)
    text = "".join(pieces)
    assert (
        text
        == textgen.generate_results(1, prefix="Ro", max_gen_length=20, min_gen_length=20, seed=4)[
            0
        ].text
    )


def test_samples_at_several_temperatures(
    textgen: textgenrnn, capsys: pytest.CaptureFixture[str]
) -> None:
    textgen.generate_samples(n=2, temperatures=[0.1, 1.5], seed=1, max_gen_length=6)
    shown = capsys.readouterr().out
    expected = ""
    for temperature in (0.1, 1.5):
        texts = textgen.generate(2, True, None, temperature, 6, seed=1)
        expected += f"{'#' * 20}\nTemperature: {temperature}\n{'#' * 20}\n"
        expected += "".join(f"{text}\n\n" for text in texts)
    assert shown == expected
    textgen.generate_samples(max_gen_length=3)
    assert capsys.readouterr().out.count("Temperature: ") == 3


def test_texts_go_into_a_file(textgen: textgenrnn, tmp_path: Path) -> None:
    path = tmp_path / "teksty.txt"
    textgen.generate_to_file(path, n=4, seed=1, max_gen_length=9)
    texts = textgen.generate(4, return_as_list=True, seed=1, max_gen_length=9)
    assert path.read_bytes() == "".join(f"{text}\n" for text in texts).encode()


def test_a_file_that_cannot_be_written_stays(textgen: textgenrnn, tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(ConfigError):
        textgen.generate_to_file(path, temperature=-1)
    assert path.read_text() == "old"
    with pytest.raises(FileAccessError, match="it is a folder"):
        textgen.generate_to_file(tmp_path)


@pytest.mark.parametrize("method", ["generate", "generate_results", "stream", "generate_samples"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_kk": 3}, r"^there is no argument `top_kk` \(did you mean `top_k`\?\)\.$"),
        ({"max_tokens": 3}, r"^there is no argument `max_tokens`.*\.$"),
        (
            {"max_gen_length": 0},
            r"^`max_gen_length` must be a whole number of at least 1, got 0\.$",
        ),
        ({"min_gen_length": 400, "max_gen_length": 5}, r"^`min_gen_length` must not be above `max"),
        ({"top_p": 1.5}, r"^`top_p` must be in \(0, 1\], got 1\.5; pass None to turn it off\.$"),
    ],
)
def test_wrong_settings_of_generation(
    textgen: textgenrnn, method: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        getattr(textgen, method)(**options)


def test_there_is_no_text_without_a_model(tmp_path: Path) -> None:
    textgen = textgenrnn(pretrained=None)
    for method in ("generate", "generate_results", "generate_samples", "stream", "save"):
        with pytest.raises(NotTrainedError, match=r"^there is no model yet: train one first"):
            getattr(textgen, method)()
    with pytest.raises(NotTrainedError):
        textgen.generate_to_file(tmp_path / "texts.txt")
    assert not (tmp_path / "texts.txt").exists()
    with pytest.raises(NotTrainedError):
        _ = textgen.language_model


# Files


def test_a_saved_model_writes_the_same_texts(textgen: textgenrnn, tmp_path: Path) -> None:
    textgen.save(tmp_path / "copy.safetensors")
    copy = textgenrnn(str(tmp_path / "copy.safetensors"))
    settings = {"return_as_list": True, "seed": 5, "temperature": 1.0}
    assert copy.generate(9, **settings) == textgen.generate(9, **settings)
    assert (tmp_path / "copy.safetensors").read_bytes() == (
        tmp_path / "model.safetensors"
    ).read_bytes()


def test_without_a_name_it_is_the_originals(
    textgen: textgenrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    textgen.save()
    assert load_model("textgenrnn_weights_saved.hdf5").config == textgen.language_model.config


def test_loading_replaces_everything(
    textgen: textgenrnn, tmp_path: Path, make_model: Callable[..., LanguageModel]
) -> None:
    textgen.generate(1, return_as_list=True)  # a decoder of the old model is at hand
    other = make_model("xyz", hidden_size=4)
    save_model(other, tmp_path / "other.safetensors")
    textgen.load(tmp_path / "other.safetensors")
    assert textgen.language_model.config == other.config
    assert set("".join(textgen.generate(5, return_as_list=True))) <= set("xyz")


def test_a_file_that_is_no_model_changes_nothing(textgen: textgenrnn, text_file: Path) -> None:
    before = textgen.language_model
    with pytest.raises(ModelFileError, match="is a text file, expected a model"):
        textgen.load(text_file)
    assert textgen.language_model is before
    with pytest.raises(ModelFileError):
        textgenrnn(text_file)


def test_reset_forgets_the_model_but_not_the_name(model_file: Path) -> None:
    textgen = textgenrnn(model_file, name="bot", allow_growth=True, pretrained=None)
    textgen.reset()
    assert textgen.name == "bot"
    assert textgen.last_training is None
    with pytest.raises(NotTrainedError):
        textgen.generate()


def test_without_a_file_it_is_the_bundled_model() -> None:
    textgen = textgenrnn()
    assert textgen.language_model is load_base("en")
    assert len(textgen.generate(2, return_as_list=True, seed=1)) == 2


def test_reset_returns_to_the_bundled_model(model_file: Path) -> None:
    textgen = textgenrnn(model_file)
    assert textgen.language_model is not load_base("en")
    textgen.reset()
    assert textgen.language_model is load_base("en")


def test_an_unknown_bundled_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no bundled model 'eng'"):
        textgenrnn(pretrained="eng")


def test_training_goes_on_from_the_bundled_model() -> None:
    textgen = textgenrnn()
    textgen.train_on_texts(["Hello there, world"] * 3, num_epochs=1, verbose=0, threads=1)
    assert textgen.language_model.config == load_base("en").config
    assert textgen.language_model is not load_base("en")


@pytest.mark.parametrize(("text", "new"), [("Plain English text", False), ("国破山河在", True)])
def test_auto_starts_anew_for_characters_that_the_model_does_not_know(text: str, new: bool) -> None:
    textgen = textgenrnn()
    textgen.train_on_texts(
        [text] * 3, new_model="auto", num_epochs=1, rnn_size=6, verbose=0, threads=1
    )
    assert (textgen.language_model.config.hidden_size == 6) is new


def test_a_model_of_texts_goes_on_to_learn_one_long_text() -> None:
    textgen = textgenrnn()
    textgen.train_on_texts(
        ["One long text. " * 9], single_text=True, num_epochs=1, verbose=0, threads=1
    )
    assert textgen.language_model.config == load_base("en").config.replace(single_text=True)


def test_a_windowed_model_is_trained_saved_and_fine_tuned(tmp_path: Path) -> None:
    textgen = textgenrnn()
    settings = {"verbose": 0, "threads": 1, "num_epochs": 1}
    textgen.train_on_texts(
        TEXTS,
        new_model=True,
        rnn_bidirectional=True,
        **TINY,
        **{name: value for name, value in settings.items() if name not in TINY},
    )
    config = textgen.language_model.config
    assert (config.form, config.bidirectional) == ("windowed", True)
    textgen.save(tmp_path / "old_weights.hdf5")
    assert (tmp_path / "old_vocab.json").exists()
    again = textgenrnn(tmp_path / "old_weights.hdf5")
    assert again.generate(3, return_as_list=True, seed=1) == textgen.generate(
        3, return_as_list=True, seed=1
    )
    again.train_on_texts(TEXTS, **settings)
    assert again.language_model.config == config


def test_the_originals_attributes(textgen: textgenrnn) -> None:
    config = textgen.language_model.config
    assert textgen.config["rnn_size"] == config.hidden_size
    assert textgen.config["name"] == textgen.name
    assert textgen.num_classes == config.vocab_size == len(textgen.vocab) + 1
    assert textgen.indices_char[textgen.vocab["<s>"]] == textgen.META_TOKEN == "<s>"


def test_instances_share_nothing(model_file: Path) -> None:
    first, second = textgenrnn(model_file), textgenrnn(model_file)
    first.reset()
    assert second.generate(1, return_as_list=True)


def test_the_record_of_the_training_is_in_the_file(tmp_path: Path) -> None:
    textgen = textgenrnn(pretrained=None)
    textgen.train_on_texts(TEXTS, num_epochs=1, train_size=0.8, **TINY)
    textgen.save(tmp_path / "model.safetensors")
    record = load_model(tmp_path / "model.safetensors").training
    assert record["documents"] == 24
    assert json.dumps(dict(record))
