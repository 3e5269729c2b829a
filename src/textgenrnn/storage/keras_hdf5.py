"""Keras HDF5 in and out: the weight files of textgenrnn, the original's and ours.

The layers are those of :mod:`textgenrnn.storage.keras_layout`. Files written here come with the
original's two companions (:mod:`textgenrnn.storage.keras_companions`), and hold both as attributes
as well, so that the one file is enough::

    textgenrnn_format    "1"
    textgenrnn_config    {"rnn_layers": 2, …, "form": "windowed"}
    textgenrnn_training  what is known about how the model was trained
    textgenrnn_vocab     {"e": 1, "t": 2, …, "<s>": 66}
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textgenrnn.config import ModelConfig, reworded
from textgenrnn.errors import ConfigError, ModelFileError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import Parameters, parameter_problems
from textgenrnn.storage.atomic import atomic_write
from textgenrnn.storage.hdf5_file import read_hdf5, to_hdf5
from textgenrnn.storage.json_text import to_json
from textgenrnn.storage.keras_companions import (
    Settings,
    VocabularyTokens,
    companion_paths,
    find_settings,
    find_vocabulary,
    parse_object,
    prefix_of,
)
from textgenrnn.storage.keras_layout import layer_weights, layers_form, parameters_of, sizes_of
from textgenrnn.storage.kinds import REMEDY, identify_model_file
from textgenrnn.storage.original_config import (
    DEFAULT_MAX_WORDS,
    MODEL_NAMES,
    from_original,
    to_original,
)
from textgenrnn.text.files import StrPath
from textgenrnn.tokenizers import META_TOKEN, restore_tokenizer

__all__ = ["ModelFileWarning", "load_keras_model", "save_keras_model"]

_FORMAT_VERSION = 1
_FORMAT, _CONFIG, _TRAINING, _VOCAB = (
    f"textgenrnn_{part}" for part in ("format", "config", "training", "vocab")
)


class ModelFileWarning(UserWarning):
    """A model file says less than is needed, and the rest was assumed."""


def save_keras_model(model: LanguageModel, path: StrPath, *, companions: bool = True) -> None:
    """Write a model as Keras HDF5; existing files are replaced in one step each.

    Windowed models have the original's layers, so that it can load them. The layers of recurrent
    models have names of their own, which Keras cannot match.

    Args:
        model: What to save.
        path: Where, such as ``name_weights.hdf5``.
        companions: Whether to write ``name_vocab.json`` and ``name_config.json`` too, as the
            original needs them.

    Raises:
        FileAccessError: If a file cannot be written; all are unchanged then.
        ConfigError: If ``training`` holds more than JSON types.
    """
    max_words = model.training.get("max_words", DEFAULT_MAX_WORDS)
    config = to_original(model.config, name=prefix_of(path), max_words=max_words)
    vocabulary = dict(model.tokenizer.vocabulary.ids)
    try:
        training = to_json(dict(model.training), compact=True, ascii_only=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the model's `training` must hold JSON types and finite numbers only: {error}."
        ) from error
    texts = {
        _FORMAT: str(_FORMAT_VERSION),
        _CONFIG: to_json(config, ascii_only=True),
        _TRAINING: training,
        _VOCAB: to_json(vocabulary, ascii_only=True),
    }
    contents = {Path(path): to_hdf5(layer_weights(model.parameters, model.config), texts)}
    if companions:
        files = zip(companion_paths(path), (vocabulary, config), strict=True)
        contents |= {file: to_json(content).encode() for file, content in files}
    # All are written before the first takes its place.
    with contextlib.ExitStack() as stack:
        for file, data in contents.items():
            stack.enter_context(atomic_write(file)).write(data)


def load_keras_model(
    weights_path: StrPath,
    vocab_path: StrPath | None = None,
    config_path: StrPath | None = None,
) -> LanguageModel:
    """Read a model from a weight file of textgenrnn, the original's or ours.

    Vocabulary and configuration are those given, else those in the file, else those beside it;
    failing that, the vocabulary of the original's own model if it has as many tokens. Sizes and
    direction follow from the weights; what follows from nothing is assumed.

    Args:
        weights_path: A file of weights or of a whole model, written by Keras 2.0 or later.
        vocab_path: JSON of token to id.
        config_path: JSON of the original's settings.

    Warns:
        ModelFileWarning: If the vocabulary or a setting had to be assumed.

    Raises:
        FileAccessError: If a file cannot be read.
        ModelFileError: If one is of another kind or damaged, if the vocabulary is missing, or if
            they do not fit together; each shape that disagrees is named.
    """
    if identify_model_file(weights_path) != "hdf5":
        raise ModelFileError(f"`{weights_path}` is a .safetensors file, expected Keras HDF5.")
    layers, texts = read_hdf5(weights_path, attributes=(_FORMAT, _CONFIG, _TRAINING, _VOCAB))
    _check_version(weights_path, texts)
    try:
        form = layers_form(list(layers))
        parameters = parameters_of(layers, form)
        sizes = sizes_of(parameters, form)
    except ModelFileError as error:
        raise ModelFileError(f"cannot load `{weights_path}`: {error}") from error
    settings = find_settings(weights_path, config_path, texts.get(_CONFIG))
    vocabulary = find_vocabulary(
        weights_path, vocab_path, texts.get(_VOCAB), num_classes=sizes["vocab_size"]
    )
    config, assumed = _fit_config(weights_path, parameters, sizes, settings, vocabulary)
    training = parse_object(texts.get(_TRAINING, "{}"), f"the training record in `{weights_path}`")
    max_words = settings.values.get("max_words", DEFAULT_MAX_WORDS)
    if type(max_words) is int and max_words != DEFAULT_MAX_WORDS:
        training.setdefault("max_words", max_words)
    try:
        tokenizer = restore_tokenizer(config.level, vocabulary.tokens)
        model = LanguageModel(config, parameters, tokenizer, training)
    except ValueError as error:
        raise ModelFileError(f"cannot load `{weights_path}`: {error}") from error
    _report(weights_path, vocabulary, assumed)
    return model


def _check_version(path: StrPath, texts: Mapping[str, str]) -> None:
    """Refuse a file that a newer version wrote; the original's have no version."""
    version = texts.get(_FORMAT, str(_FORMAT_VERSION))
    if not (version.isdecimal() and len(version) < 10):
        raise ModelFileError(f"`{path}` is damaged: its `{_FORMAT}` is {version!r}; {REMEDY}.")
    if int(version) > _FORMAT_VERSION:
        raise ModelFileError(
            f"`{path}` was saved by a newer textgenrnn (file format {version}, this one knows "
            f"{_FORMAT_VERSION}); update it: pip install --upgrade textgenrnn"
        )


def _fit_config(
    path: StrPath,
    parameters: Parameters,
    sizes: Mapping[str, Any],
    settings: Settings,
    vocabulary: VocabularyTokens,
) -> tuple[ModelConfig, dict[str, Any]]:
    """Return the configuration that weights, settings and vocabulary make up together.

    Args:
        path: The weight file.
        parameters: What it holds.
        sizes: What follows from their shapes.
        settings: What the configuration file says.
        vocabulary: The tokens.

    Returns:
        The configuration, and what nothing says and had to be assumed, under the original's names.

    Raises:
        ModelFileError: If they disagree.
    """
    assumed = _assume(settings.values, vocabulary.tokens) if sizes["form"] == "windowed" else {}
    words = {f"`{ours}`": f"`{theirs}`" for theirs, ours in MODEL_NAMES.items()}
    try:
        with reworded(words):
            given = from_original({**assumed, **settings.values})
            config = ModelConfig.from_dict({**sizes, **given})
    except ConfigError as error:
        raise ModelFileError(
            f"{settings.origin} does not fit the weights `{path}`: {error}"
        ) from error
    problems = []
    if config.form != sizes["form"]:
        problems.append(f"its form is {config.form!r}, the weights' {sizes['form']!r}")
    elif config.num_layers > len(parameters):
        # Shapes are listed layer by layer, so a wrong number must not get there.
        problems.append(f"it has {config.num_layers:,} layers, the weights {sizes['num_layers']}")
    else:
        problems += parameter_problems(parameters, config)
    if problems:
        origin = settings.origin if settings.values else "what it holds"
        raise ModelFileError(
            f"cannot load `{path}`: {origin} does not fit its weights: {'; '.join(problems)}."
        )
    needed = config.vocab_size - 1
    if len(vocabulary.tokens) != needed:
        raise ModelFileError(
            f"cannot load `{path}`: {vocabulary.origin} has {len(vocabulary.tokens):,} tokens, but "
            f"the weights have {config.vocab_size:,} classes and so need {needed:,}; pass the "
            "vocabulary that belongs to them as vocab_path=."
        )
    return config, assumed


def _assume(values: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """Return the settings that follow from no weight and that the values lack.

    A vocabulary of words, or one without ``<s>``, tells two of them.
    """
    likely = {
        "max_length": 40,
        "word_level": any(len(token) > 1 and token != META_TOKEN for token in tokens),
        "single_text": META_TOKEN not in tokens,
    }
    return {name: value for name, value in likely.items() if name not in values}


def _report(path: StrPath, vocabulary: VocabularyTokens, assumed: Mapping[str, Any]) -> None:
    """Warn of what was assumed."""
    missing, parts, remedies = [], [], []
    if assumed:
        missing.append("a configuration")
        parts += [f"{name}={value}" for name, value in assumed.items()]
        remedies.append("config_path=")
    if vocabulary.assumed:
        missing.append("a vocabulary")
        parts.append(f"{vocabulary.origin} of {len(vocabulary.tokens)} tokens")
        remedies.append("vocab_path=")
    if missing:
        warnings.warn(
            f"`{path}` comes without {' and '.join(missing)}; assumed: {', '.join(parts)}; if that "
            f"is wrong, pass {' and '.join(remedies)}.",
            ModelFileWarning,
            stacklevel=4,  # the caller of `load_model`
        )
