"""The vocabulary and the configuration of a weight file: where they are, and what they say.

The original keeps them beside the weights ``{prefix}_weights.hdf5``: ``{prefix}_vocab.json`` holds
token to id, ``{prefix}_config.json`` its settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgenrnn.errors import ModelFileError
from textgenrnn.storage.original_config import MODEL_NAMES
from textgenrnn.text.files import StrPath, read_bytes

__all__ = [
    "Settings",
    "VocabularyTokens",
    "companion_paths",
    "find_settings",
    "find_vocabulary",
    "parse_object",
    "prefix_of",
]

_LATER_WEIGHTS = re.compile(r"(?s)(.*)_weights(?:_epoch_\d+|_saved)")
_ORIGINAL_CLASSES = 465
_ORIGINAL_VOCABULARY = Path(__file__).with_name("original_vocab.json")


@dataclass(frozen=True)
class VocabularyTokens:
    """A vocabulary, and where it is from.

    Attributes:
        tokens: In the order of their ids.
        origin: For messages.
        assumed: Whether nothing says that it belongs to the weights.
    """

    tokens: Sequence[str]
    origin: str
    assumed: bool = False


@dataclass(frozen=True)
class Settings:
    """A configuration under the original's names, and where it is from.

    Attributes:
        values: Empty if there is none.
        origin: For messages.
    """

    values: dict[str, Any]
    origin: str


def prefix_of(path: StrPath) -> str:
    """Return what the names of a weight file and of its companions begin with.

    Example:
        >>> prefix_of("models/news_weights.hdf5"), prefix_of("news.hdf5")
        ('news', 'news')
    """
    return Path(path).stem.removesuffix("_weights")


def companion_paths(path: StrPath) -> tuple[Path, Path]:
    """Return where the vocabulary and the configuration of a weight file stand.

    Example:
        >>> [file.name for file in companion_paths("news_weights.hdf5")]
        ['news_vocab.json', 'news_config.json']
    """
    return _companions(path, prefix_of(path))


def find_settings(path: StrPath, given: StrPath | None, embedded: str | None) -> Settings:
    """Return the configuration of a weight file: that given, else its own, else that beside it.

    Args:
        path: The weight file.
        given: Another file, if the caller named one.
        embedded: What stands in the weight file itself.

    Raises:
        FileAccessError: If a file cannot be read.
        ModelFileError: If it is no configuration.
    """
    text, origin = _find(path, given, embedded, 1, "configuration")
    if text is None:
        return Settings({}, origin)
    values = parse_object(text, origin)
    if len(values) > len(MODEL_NAMES) and _is_numbering(values):
        raise ModelFileError(f"{origin} is a vocabulary, expected a configuration.")
    return Settings(values, origin)


def find_vocabulary(
    path: StrPath, given: StrPath | None, embedded: str | None, num_classes: int
) -> VocabularyTokens:
    """Return the vocabulary of a weight file: that given, else its own, else that beside it.

    Where there is none and the number of classes is that of the original's own model, its
    vocabulary is assumed.

    Raises:
        FileAccessError: If a file cannot be read.
        ModelFileError: If it is no vocabulary, or there is none.
    """
    text, origin = _find(path, given, embedded, 0, "vocabulary")
    if text is not None:
        return VocabularyTokens(_tokens(parse_object(text, origin), origin), origin)
    if num_classes == _ORIGINAL_CLASSES:
        tokens = json.loads(_ORIGINAL_VOCABULARY.read_text(encoding="utf-8"))
        return VocabularyTokens(tokens, "the original's vocabulary", assumed=True)
    vocabulary, settings = companion_paths(path)
    also = "" if settings.exists() else f", nor does `{settings}`"
    raise ModelFileError(
        f"`{path}` comes without its vocabulary of {num_classes - 1:,} tokens: `{vocabulary}` does "
        f"not exist{also}; put them there, or pass vocab_path= and config_path=."
    )


def parse_object(text: str, origin: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ModelFileError: If it is none.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{origin} is not valid JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{origin} must be a JSON object, got a {type(content).__name__}.")
    return content


def _companions(path: StrPath, prefix: str) -> tuple[Path, Path]:
    folder = Path(path).parent
    return folder / f"{prefix}_vocab.json", folder / f"{prefix}_config.json"


def _find(
    path: StrPath, given: StrPath | None, embedded: str | None, which: int, what: str
) -> tuple[str | None, str]:
    """Return the text of a companion, ``None`` if there is none, and its origin for messages."""
    if given is None and embedded is not None:
        return embedded, f"the {what} in `{path}`"
    candidates = [companion_paths(path)[which]]
    # Weights of a later epoch, or saved again, share the companions of the first.
    if match := _LATER_WEIGHTS.fullmatch(Path(path).stem):
        candidates.append(_companions(path, match[1])[which])
    existing = [file for file in candidates if file.is_file()]
    file = given if given is not None else next(iter(existing), None)
    if file is None:
        return None, f"no {what}"
    try:
        return read_bytes(file).decode("utf-8-sig"), f"the {what} `{file}`"
    except UnicodeDecodeError as error:
        raise ModelFileError(f"the {what} `{file}` is no JSON in UTF-8 ({error}).") from error


def _is_numbering(values: dict[str, Any]) -> bool:
    """Whether the values are the numbers from 1 on, as those of a vocabulary are."""
    numbers = [value for value in values.values() if type(value) is int]
    return sorted(numbers) == list(range(1, len(values) + 1))


def _tokens(ids: dict[str, Any], origin: str) -> list[str]:
    """Return the tokens of a vocabulary in the order of their ids, which must be 1 … n."""
    for token, index in ids.items():
        if type(index) is not int:
            raise ModelFileError(
                f"{origin} must give each token a whole number, got {index!r} for {token!r}."
            )
    tokens = sorted(ids, key=lambda token: ids[token])
    for expected, token in enumerate(tokens, start=1):
        if ids[token] != expected:
            raise ModelFileError(
                f"{origin} must number its {len(ids):,} tokens from 1 to {len(ids):,}, but has "
                f"{ids[token]} for {token!r} where {expected} is due."
            )
    return tokens
