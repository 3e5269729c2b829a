"""``textgenrnn info``."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import typer

from textgenrnn.cli.common import DEFAULT_MODEL

__all__ = ["info"]


def info(
    model: Annotated[
        str, typer.Argument(help="Model file, or `en` for the bundled one.", metavar="[MODEL]")
    ] = DEFAULT_MODEL,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON object.")] = False,
) -> None:
    """Show what a model file holds and how it was trained."""
    from textgenrnn.cli.common import model_path
    from textgenrnn.network.parameters import count_parameters
    from textgenrnn.storage import load_model
    from textgenrnn.tokenizers import META_TOKEN

    path = model_path(model)
    loaded = load_model(path)
    config, training = loaded.config, loaded.training
    characters = [token for token in loaded.tokenizer.vocabulary.tokens if token != META_TOKEN]
    if as_json:
        values: dict[str, Any] = {
            "file": str(path),
            "size_bytes": path.stat().st_size,
            "parameters": count_parameters(config),
            "config": config.to_dict(),
            "characters": "".join(characters),
            "training": dict(training),
        }
        print(json.dumps(values, ensure_ascii=False, indent=2))
        return
    layers = "1 layer" if config.num_layers == 1 else f"{config.num_layers} layers"
    rows = [
        ("file", f"{model} ({path.stat().st_size / 1e6:.1f} MB)"),
        (
            "network",
            f"{config.form}, {layers} of {config.hidden_size} LSTM cells"
            + (f", attention over {config.context_length}" if config.attention else ""),
        ),
        ("parameters", f"{count_parameters(config):,}"),
        ("learned", "one long text" if config.single_text else "a collection of texts"),
        ("characters", f"{len(characters):,}: {_printable(characters)}"),
    ]
    if {"documents", "targets", "tokens_seen", "seconds"} <= training.keys():
        passes = training["tokens_seen"] / max(1, training["targets"])
        rows.append(
            (
                "training",
                f"{training['documents']:,} documents, {training['targets']:,} characters, "
                f"{passes:.1f} passes in {training['seconds']:.0f} s",
            )
        )
        if training.get("held_out_loss") is not None:
            bits = training["held_out_loss"] / math.log(2)
            rows.append(("held-out", f"{bits:.3f} bits per character"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def _printable(characters: list[str], limit: int = 60) -> str:
    """Return the first characters, those that cannot be seen in Python's notation."""
    shown = [c if c.isprintable() else repr(c)[1:-1] for c in characters[:limit]]
    return "".join(shown) + (" …" if len(characters) > limit else "")
