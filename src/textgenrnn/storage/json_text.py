"""JSON as text that can be written as UTF-8, whatever characters a vocabulary holds."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["to_json"]


def to_json(content: Any, *, compact: bool = False, ascii_only: bool = False) -> str:
    """Return JSON in which everything but lone surrogates is readable.

    Args:
        content: JSON types only.
        compact: Whether to leave out spaces and sort keys, so that equal contents give equal text.
        ascii_only: Whether to escape all other characters.

    Raises:
        TypeError: If it holds other types.
        ValueError: If it holds numbers that are not finite.
    """
    separators = (",", ":") if compact else None
    text = json.dumps(
        content, ensure_ascii=ascii_only, sort_keys=compact, separators=separators, allow_nan=False
    )
    # Lone surrogates are valid tokens and valid JSON escapes, but cannot be written as UTF-8.
    return re.sub(r"[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
