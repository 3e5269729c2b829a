import json
import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from textgenrnn.config import ModelConfig, SamplingConfig, TrainConfig, reworded, suggest
from textgenrnn.errors import ConfigError

MODEL = ModelConfig(vocab_size=10, hidden_size=8, num_layers=3, embedding_size=4, attention=True)
TRAIN = TrainConfig(minutes=2.5, batch_size=16, seed=7)
SAMPLING = SamplingConfig(temperature=[1, 0.5], stop=("\n", "."), banned=["x"], top_k=5)
CONFIGS = [MODEL, TRAIN, SAMPLING]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_round_trip_through_json(config: Any) -> None:
    values = json.loads(json.dumps(config.to_dict()))
    assert type(config).from_dict(values) == config


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_configurations_are_frozen(config: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        config.seed = 1


def test_replace_changes_a_copy() -> None:
    assert MODEL.replace(num_layers=1).num_layers == 1
    assert MODEL.num_layers == 3
    with pytest.raises(ConfigError, match="unknown setting `layers`"):
        MODEL.replace(layers=1)


def test_unknown_setting_names_the_nearest_and_all() -> None:
    message = (
        r"^unknown setting `temprature` \(did you mean `temperature`\?\) for SamplingConfig\. "
        r"Known settings: temperature, top_k, .*, seed\.$"
    )
    with pytest.raises(ConfigError, match=message):
        SamplingConfig.from_dict({"temprature": 1.0})


def test_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^`vocab_size` is missing in the settings of ModelCon"):
        ModelConfig.from_dict({"hidden_size": 8})


def test_errors_speak_the_callers_language() -> None:
    words = {"`top_k`": "--top-k", "pass None": "leave it out"}
    message = (
        r"^--top-k must be a whole number of at least 1, got 0; leave it out to turn it off\.$"
    )
    with pytest.raises(ConfigError, match=message), reworded(words):
        SamplingConfig(top_k=0)
    with pytest.raises(KeyError, match="`top_k`"), reworded(words):
        raise KeyError("`top_k`")


def test_suggest_is_silent_without_a_near_name() -> None:
    assert suggest("zzz", ["temperature"]) == ""


def test_sizes_follow_from_the_shape() -> None:
    assert MODEL.concat_size == 4 + 3 * 8
    assert MODEL.output_inputs == 2 * MODEL.concat_size
    assert MODEL.replace(attention=False).output_inputs == MODEL.concat_size
    windowed = MODEL.replace(form="windowed")
    assert (windowed.concat_size, windowed.output_inputs) == (4 + 3 * 8, 4 + 3 * 8)
    both_ways = windowed.replace(bidirectional=True)
    assert (both_ways.layer_outputs, both_ways.output_inputs) == (16, 4 + 3 * 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 1}, "`vocab_size` must be a whole number of at least 2, got 1."),
        ({"hidden_size": 0}, "`hidden_size` must be a whole number of at least 1, got 0."),
        (
            {"embedding_size": 1.5},
            "`embedding_size` must be a whole number of at least 1, got 1.5.",
        ),
        ({"num_layers": True}, "`num_layers` must be a whole number of at least 1, got True."),
        (
            {"context_length": "4"},
            "`context_length` must be a whole number of at least 1, got '4'.",
        ),
        ({"attention": 1}, "`attention` must be True or False, got 1."),
        ({"single_text": "no"}, "`single_text` must be True or False, got 'no'."),
        (
            {"level": "chars"},
            "`level` must be one of 'char', 'word', got 'chars' (did you mean `char`?).",
        ),
        ({"form": None}, "`form` must be one of 'recurrent', 'windowed', got None."),
        ({"bidirectional": 1}, "`bidirectional` must be True or False, got 1."),
        (
            {"bidirectional": True},
            "`bidirectional` must be False in the recurrent form, got True: a state that is "
            "carried on cannot read backwards; pass form='windowed'.",
        ),
        (
            {"form": "windowed"},
            "`attention` must be True in the windowed form, got False: its output layer sees the "
            "attention average alone; pass attention=True, or form='recurrent'.",
        ),
        (
            {"form": "windowed", "attention": True, "attention_heads": 2},
            "`attention_heads` must be 1 in the windowed form, got 2; leave it out, or pass "
            "form='recurrent'.",
        ),
    ],
)
def test_model_config_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ModelConfig(**{"vocab_size": 10, **changes})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"minutes": None},
            "give either `num_epochs` or `minutes`, not both and not none; got num_epochs=None, "
            "minutes=None.",
        ),
        (
            {"num_epochs": 2},
            "give either `num_epochs` or `minutes`, not both and not none; got num_epochs=2, "
            "minutes=1.",
        ),
        ({"minutes": 0}, "`minutes` must be a number of minutes above 0, got 0."),
        ({"minutes": math.nan}, "`minutes` must be a number of minutes above 0, got nan."),
        ({"minutes": 10**400}, f"`minutes` must be a number of minutes above 0, got {10**400}."),
        (
            {"minutes": None, "num_epochs": 0},
            "`num_epochs` must be a whole number of at least 1, got 0.",
        ),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1, got 0."),
        ({"seq_len": -1}, "`seq_len` must be a whole number of at least 1, got -1."),
        ({"patience": 0}, "`patience` must be a whole number of at least 1, got 0."),
        ({"threads": 0}, "`threads` must be a whole number of at least 1, got 0."),
        ({"learning_rate": 0}, "`learning_rate` must be in (0, 1], got 0."),
        ({"weight_decay": -0.1}, "`weight_decay` must be in [0, 10], got -0.1."),
        ({"dropout": 0.95}, "`dropout` must be in [0, 0.9], got 0.95."),
        ({"held_out": 0.6}, "`held_out` must be in [0, 0.5], got 0.6."),
        ({"clip_norm": 0}, "`clip_norm` must be above 0, got 0."),
        (
            {"precision": "fp16"},
            "`precision` must be one of 'auto', 'fp32', 'bf16', got 'fp16' (did you mean `bf16`?).",
        ),
        ({"seed": -1}, "`seed` must be a whole number of at least 0, got -1."),
    ],
)
def test_train_config_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{"minutes": 1, **changes})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"temperature": -1},
            "`temperature` must be at least 0 (0: always the likeliest), got -1.0.",
        ),
        (
            {"temperature": [0.5, "hot"]},
            "`temperature` must be at least 0 (0: always the likeliest), got 'hot'.",
        ),
        ({"temperature": []}, "`temperature` must hold at least one number, got an empty list."),
        (
            {"temperature": "hot"},
            "`temperature` must be a number of at least 0 or a list of such numbers, got 'hot'.",
        ),
        (
            {"temperature": None},
            "`temperature` must be a number of at least 0 or a list of such numbers, got None.",
        ),
        (
            {"top_k": 0},
            "`top_k` must be a whole number of at least 1, got 0; pass None to turn it off.",
        ),
        ({"top_p": 1.5}, "`top_p` must be in (0, 1], got 1.5; pass None to turn it off."),
        ({"min_p": 0}, "`min_p` must be in (0, 1], got 0; pass None to turn it off."),
        (
            {"repetition_penalty": 0.5},
            "`repetition_penalty` must be a number of at least 1, got 0.5; pass None to turn it "
            "off.",
        ),
        (
            {"repetition_window": 0},
            "`repetition_window` must be a whole number of at least 1, got 0.",
        ),
        ({"min_tokens": -1}, "`min_tokens` must be a whole number of at least 0, got -1."),
        ({"max_tokens": 0}, "`max_tokens` must be a whole number of at least 1, got 0."),
        (
            {"min_tokens": 9, "max_tokens": 5},
            "`min_tokens` must not be above `max_tokens`, got 9 and 5; lower the one or raise the "
            "other.",
        ),
        ({"stop": [""]}, "`stop` must hold strings of at least 1 character, got ['']."),
        ({"stop": ""}, "`stop` must hold strings of at least 1 character, got ''."),
        ({"banned": 5}, "`banned` must hold strings of at least 1 character, got 5."),
        ({"keep_stop": "no"}, "`keep_stop` must be True or False, got 'no'."),
        ({"seed": 1.0}, "`seed` must be a whole number of at least 0, got 1.0."),
    ],
)
def test_sampling_config_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(**changes)
    assert str(caught.value) == message


def test_temperatures_are_a_cycle() -> None:
    assert SamplingConfig(temperature=1).temperatures == (1.0,)
    assert SamplingConfig(temperature=[1.0, 0.5]).temperatures == (1.0, 0.5)


def test_lists_are_kept_as_tuples_of_their_own() -> None:
    temperatures, stop = [1.0, 0.5], ["."]
    config = SamplingConfig(temperature=temperatures, stop=stop)  # type: ignore[arg-type]
    temperatures.append(9.0)
    stop.append("!")
    assert config.temperatures == (1.0, 0.5)
    assert config.stop == (".",)


def test_one_string_is_one_stop_and_none_is_no_stop() -> None:
    config = SamplingConfig(stop="ab", banned=None)  # type: ignore[arg-type]
    assert (config.stop, config.banned) == (("ab",), ())
