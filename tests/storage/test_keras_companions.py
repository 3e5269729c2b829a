import json
from pathlib import Path
from typing import Any

import pytest

from textgenrnn.errors import FileAccessError, ModelFileError
from textgenrnn.storage.keras_companions import (
    companion_paths,
    find_settings,
    find_vocabulary,
    parse_object,
    prefix_of,
)

VOCABULARY = {"b": 2, "<s>": 3, "a": 1}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Where a weight file would be; nothing is there."""
    return tmp_path / "news_weights.hdf5"


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_companions_stand_beside_the_weights() -> None:
    assert companion_paths("a.b/news_weights.hdf5") == (
        Path("a.b/news_vocab.json"),
        Path("a.b/news_config.json"),
    )
    assert companion_paths("news.h5")[0] == Path("news_vocab.json")
    assert prefix_of("news_weights_saved.hdf5") == "news_weights_saved"


def test_arguments_come_before_the_file_and_the_file_before_its_companions(weights: Path) -> None:
    vocabulary, settings = companion_paths(weights)
    write(vocabulary, {"beside": 1})
    write(settings, {"max_length": 1})
    given = write(weights.with_name("given.json"), {"given": 1})
    embedded = '{"embedded": 1}'
    assert find_vocabulary(weights, given, embedded, 2).tokens == ["given"]
    assert find_vocabulary(weights, None, embedded, 2).tokens == ["embedded"]
    assert find_vocabulary(weights, None, None, 2).tokens == ["beside"]
    given = write(weights.with_name("given.json"), {"max_length": 3, "name": "x"})
    embedded = '{"max_length": 2, "name": "x"}'
    write(settings, {"max_length": 1, "name": "x"})
    for found, expected in (
        (find_settings(weights, given, embedded), 3),
        (find_settings(weights, None, embedded), 2),
        (find_settings(weights, None, None), 1),
    ):
        assert found.values["max_length"] == expected


@pytest.mark.parametrize("name", ["news_weights_epoch_12.hdf5", "news_weights_saved.hdf5"])
def test_later_copies_share_the_companions_of_the_first(weights: Path, name: str) -> None:
    write(weights.with_name("news_vocab.json"), VOCABULARY)
    later = weights.with_name(name)
    assert find_vocabulary(later, None, None, 4).tokens == ["a", "b", "<s>"]
    write(later.with_name(f"{later.stem}_vocab.json"), {"own": 1})
    assert find_vocabulary(later, None, None, 4).tokens == ["own"]


def test_tokens_are_in_the_order_of_their_ids(weights: Path) -> None:
    path = write(companion_paths(weights)[0], VOCABULARY)
    found = find_vocabulary(weights, None, None, 4)
    assert (found.tokens, found.origin) == (["a", "b", "<s>"], f"the vocabulary `{path}`")
    assert not found.assumed


def test_the_originals_vocabulary_stands_in_for_its_465_classes(weights: Path) -> None:
    found = find_vocabulary(weights, None, None, 465)
    assert found.assumed
    assert len(found.tokens) == len(set(found.tokens)) == 464
    assert (found.tokens[0], found.tokens[-1]) == ("I", "<s>")
    assert all(len(token) == 1 for token in found.tokens[:-1])


def test_a_missing_vocabulary_is_named_with_its_place(weights: Path) -> None:
    vocabulary, settings = companion_paths(weights)
    with pytest.raises(ModelFileError) as caught:
        find_vocabulary(weights, None, None, 80)
    assert str(caught.value) == (
        f"`{weights}` comes without its vocabulary of 79 tokens: `{vocabulary}` does not exist, "
        f"nor does `{settings}`; put them there, or pass vocab_path= and config_path=."
    )
    write(settings, {})
    with pytest.raises(ModelFileError) as caught:
        find_vocabulary(weights, None, None, 80)
    assert "nor does" not in str(caught.value)


def test_a_missing_configuration_is_no_error(weights: Path) -> None:
    assert find_settings(weights, None, None).values == {}


def test_a_given_file_that_is_missing_is_one(weights: Path) -> None:
    with pytest.raises(FileAccessError, match="does not exist"):
        find_vocabulary(weights, weights.with_name("x.json"), "{}", 465)
    with pytest.raises(FileAccessError, match="does not exist"):
        find_settings(weights, weights.with_name("x.json"), "{}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1, "b": "2"}, "must give each token a whole number, got '2' for 'b'."),
        ({"a": True}, "must give each token a whole number, got True for 'a'."),
        ({"a": 1, "b": 3}, "must number its 2 tokens from 1 to 2, but has 3 for 'b' where 2 is"),
        ({"a": 1, "b": 1}, "must number its 2 tokens from 1 to 2, but has 1 for 'b' where 2 is"),
        ({"a": 0, "b": 1}, "must number its 2 tokens from 1 to 2, but has 0 for 'a' where 1 is"),
        (["a", "b"], "must be a JSON object, got a list."),
        ({"rnn_size": 128, "name": "x"}, "must give each token a whole number, got 'x' for 'name'"),
    ],
)
def test_what_is_no_vocabulary_is_refused(weights: Path, content: Any, message: str) -> None:
    path = write(weights.with_name("vocab.json"), content)
    with pytest.raises(ModelFileError) as caught:
        find_vocabulary(weights, path, None, 3)
    assert str(caught.value).startswith(f"the vocabulary `{path}` {message}")


def test_a_vocabulary_is_no_configuration(weights: Path) -> None:
    # Even if it has the names of settings among its words.
    words = ["name", "max_length", *"abcdefgh"]
    path = write(weights.with_name("vocab.json"), {word: i + 1 for i, word in enumerate(words)})
    with pytest.raises(ModelFileError) as caught:
        find_settings(weights, path, None)
    assert str(caught.value) == (
        f"the configuration `{path}` is a vocabulary, expected a configuration."
    )


def test_files_may_begin_with_a_mark_but_must_be_utf_8(weights: Path) -> None:
    path = weights.with_name("vocab.json")
    path.write_bytes('{"春": 1}'.encode("utf-8-sig"))
    assert find_vocabulary(weights, path, None, 2).tokens == ["春"]
    path.write_bytes('{"春": 1}'.encode("gbk"))
    with pytest.raises(ModelFileError) as caught:
        find_vocabulary(weights, path, None, 2)
    assert str(caught.value).startswith(f"the vocabulary `{path}` is no JSON in UTF-8 (")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000])
def test_text_that_is_no_json(text: str) -> None:
    with pytest.raises(ModelFileError, match=r"^the file is not valid JSON \("):
        parse_object(text, "the file")
