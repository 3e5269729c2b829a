from collections.abc import Callable
from dataclasses import replace

import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.pretrained import load_base
from textgenrnn.training.data import encode_documents
from textgenrnn.training.transfer import distance_from_learned


def distance(model: LanguageModel, documents: list[str], *, single_text: bool = False) -> float:
    text = encode_documents(documents, model.tokenizer, single_text=single_text)
    return distance_from_learned(model, text)


def test_text_like_its_own_is_near_and_other_text_far() -> None:
    base = load_base("en")
    near = distance(base, ["How to learn a new language", "Why the internet is broken"] * 9)
    far = distance(base, ["zqxw vkjh qqzz xkcd wvut", "jjkk zzxx qqww vvbb"] * 9)
    assert 0 <= near < 0.6
    assert far == 1.0


def test_a_single_text_is_compared_too() -> None:
    assert distance(load_base("en"), ["zqxw vkjh qqzz " * 50], single_text=True) == 1.0


def test_it_follows_from_what_the_record_says(make_model: Callable[..., LanguageModel]) -> None:
    model = make_model("abc")
    assert distance(model, ["abc"] * 5) == 0.5  # nothing is known
    assert distance(replace(model, training={"train_loss": 100.0}), ["abc"] * 5) == 0.0
    assert distance(replace(model, training={"train_loss": -100.0}), ["abc"] * 5) == 1.0
    scores = {"nats_per_character": {"a": 150.0, "b": 50.0}, "train_loss": -100.0}
    assert distance(replace(model, training=scores), ["abc"] * 5) == 0.0


def test_text_of_unknown_characters_is_far(make_model: Callable[..., LanguageModel]) -> None:
    model = replace(make_model("abc"), training={"train_loss": 100.0})
    assert distance(model, ["xyz"], single_text=True) == pytest.approx(1.0)
