import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from textgenrnn.errors import ModelFileError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.tokenizers import CharTokenizer, Vocabulary


def test_a_model_cannot_be_changed(tiny_model: LanguageModel) -> None:
    with pytest.raises(FrozenInstanceError):
        tiny_model.training = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        tiny_model.parameters["output.bias"] = np.zeros(1, np.float32)  # type: ignore[index]
    with pytest.raises(TypeError):
        tiny_model.training["minutes"] = 9  # type: ignore[index]
    for values in tiny_model.parameters.values():
        with pytest.raises(ValueError, match="read-only"):
            values[...] = 0


def test_a_model_keeps_its_values_when_training_goes_on(tiny_model: LanguageModel) -> None:
    parameters = initial_parameters(tiny_model.config, seed=1)
    model = replace(tiny_model, parameters=parameters)
    before = model.parameters["output.kernel"].copy()
    parameters["output.kernel"] += 1
    parameters.clear()
    assert np.array_equal(model.parameters["output.kernel"], before)


def test_read_only_arrays_are_shared(tiny_model: LanguageModel) -> None:
    again = replace(tiny_model, training={})
    assert again.parameters["output.kernel"] is not None
    assert np.shares_memory(
        again.parameters["output.kernel"], tiny_model.parameters["output.kernel"]
    )


def test_parameters_become_contiguous_32_bit_floats(tiny_model: LanguageModel) -> None:
    parameters = {
        name: np.asfortranarray(values.astype(np.float64))
        for name, values in tiny_model.parameters.items()
    }
    model = replace(tiny_model, parameters=parameters)
    for name, values in model.parameters.items():
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert np.array_equal(values, tiny_model.parameters[name])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copied_model_is_equal_and_as_unchangeable(tiny_model: LanguageModel, duplicate) -> None:
    model = duplicate(tiny_model)
    assert model.config == tiny_model.config
    assert model.tokenizer.vocabulary == tiny_model.tokenizer.vocabulary
    assert model.training == tiny_model.training
    for name, values in tiny_model.parameters.items():
        assert np.array_equal(model.parameters[name], values)
        assert not model.parameters[name].flags.writeable


def test_a_model_is_equal_to_itself_alone(tiny_model: LanguageModel) -> None:
    assert tiny_model == tiny_model  # noqa: PLR0124
    assert tiny_model != replace(tiny_model)
    assert len({tiny_model, tiny_model}) == 1


def test_a_vocabulary_of_another_size_is_refused(tiny_model: LanguageModel) -> None:
    classes = tiny_model.config.vocab_size
    with pytest.raises(ModelFileError) as caught:
        replace(tiny_model, tokenizer=CharTokenizer.from_texts(["ab"]))
    assert str(caught.value) == (
        f"the vocabulary has 3 tokens, but the network expects {classes - 1} (its {classes} "
        "classes less the padding)."
    )


def test_parameters_of_another_shape_are_refused(tiny_model: LanguageModel) -> None:
    with pytest.raises(ModelFileError, match=r"`rnn_2.bias` has shape \(32,\), expected \(36,\)"):
        replace(tiny_model, config=tiny_model.config.replace(hidden_size=9))


def test_texts_start_from_the_meta_token_or_from_padding(tiny_model: LanguageModel) -> None:
    assert tiny_model.start_id == tiny_model.tokenizer.vocabulary.meta_id != 0
    for form in ("recurrent", "windowed"):
        config = tiny_model.config.replace(single_text=True, form=form, attention=True)
        model = replace(tiny_model, config=config, parameters=initial_parameters(config, seed=0))
        assert (model.start_id == 0) is (form == "windowed")


def test_only_what_starts_from_padding_may_lack_the_meta_token(tiny_model: LanguageModel) -> None:
    tokens = [chr(97 + i) for i in range(len(tiny_model.tokenizer.vocabulary))]
    tokenizer = CharTokenizer(Vocabulary(tokens))
    windowed = tiny_model.config.replace(form="windowed", attention=True)
    for config in (tiny_model.config, windowed):
        with pytest.raises(ModelFileError) as caught:
            replace(
                tiny_model,
                config=config,
                parameters=initial_parameters(config, seed=0),
                tokenizer=tokenizer,
            )
        assert str(caught.value) == "the vocabulary lacks the start and end token '<s>'."
    config = windowed.replace(single_text=True)
    model = LanguageModel(config, initial_parameters(config, seed=0), tokenizer)
    assert model.start_id == model.tokenizer.vocabulary.meta_id == 0
