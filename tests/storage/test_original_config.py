import dataclasses

import pytest

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ConfigError
from textgenrnn.storage.original_config import MODEL_NAMES, from_original, to_original

WINDOWED = ModelConfig(
    vocab_size=80, embedding_size=300, hidden_size=64, num_layers=3, attention=True,
    context_length=12, form="windowed", bidirectional=True, level="word", single_text=True,
)  # fmt: skip


def test_a_windowed_model_has_the_originals_settings_and_its_form() -> None:
    assert list(to_original(WINDOWED, name="poems", max_words=500).items()) == [
        ("rnn_layers", 3),
        ("rnn_size", 64),
        ("rnn_bidirectional", True),
        ("max_length", 12),
        ("max_words", 500),
        ("dim_embeddings", 300),
        ("word_level", True),
        ("single_text", True),
        ("name", "poems"),
        ("form", "windowed"),
    ]
    assert to_original(WINDOWED, name="poems")["max_words"] == 10_000


@pytest.mark.parametrize(
    "config",
    [
        WINDOWED,
        ModelConfig(vocab_size=80),
        ModelConfig(vocab_size=80, attention=True, attention_heads=3, context_length=7),
    ],
    ids=lambda config: config.form,
)
def test_what_is_written_is_read_again(config: ModelConfig) -> None:
    ours = from_original(to_original(config, name="x"))
    assert ModelConfig.from_dict({"vocab_size": 80, "attention": True, **ours}) == config


def test_missing_and_unknown_settings_do_no_harm() -> None:
    assert from_original({}) == {}
    assert from_original({"rnn_size": 5, "name": "x", "later": 1}) == {"hidden_size": 5}


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_word_level_is_a_boolean(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        from_original({"word_level": value})
    assert str(caught.value) == f"`word_level` must be True or False, got {value!r}."


def test_the_table_covers_every_setting_that_both_have() -> None:
    ours = {field.name for field in dataclasses.fields(ModelConfig)}
    assert set(MODEL_NAMES.values()) < ours
    known = {*MODEL_NAMES.values(), "level", "form", "attention", "attention_heads", "vocab_size"}
    assert ours == known
