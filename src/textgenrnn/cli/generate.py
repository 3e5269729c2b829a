"""``textgenrnn generate``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textgenrnn.cli.common import DEFAULT_MODEL

if TYPE_CHECKING:
    from textgenrnn.generation import GenerationResult

__all__ = ["generate"]

# What errors call a setting, and what it is called here.
_OPTION_NAMES = {
    "`n`": "-n",
    "`temperature`": "--temperature",
    "`max_gen_length`": "--max-length",
    "`min_gen_length`": "--min-length",
    "`top_k`": "--top-k",
    "`top_p`": "--top-p",
    "`min_p`": "--min-p",
    "`repetition_penalty`": "--repetition-penalty",
    "`stop`": "--stop",
    "`banned`": "--ban",
    "`seed`": "--seed",
    "pass None to turn it off": "leave it out to turn it off",
}


def generate(
    model: Annotated[
        str, typer.Argument(help="Model file, or `en` for the bundled one.", metavar="[MODEL]")
    ] = DEFAULT_MODEL,
    *,
    n: Annotated[int, typer.Option("-n", "--number", help="Number of texts.")] = 10,
    temperature: Annotated[
        str,
        typer.Option(
            "--temperature",
            "-t",
            help="Higher is more surprising, 0 always takes the likeliest; several values, "
            "separated by commas, take turns.",
        ),
    ] = "0.7",
    prefix: Annotated[str, typer.Option("--prefix", "-p", help="Beginning of every text.")] = "",
    max_length: Annotated[int, typer.Option(help="Most characters, prefix included.")] = 300,
    min_length: Annotated[int, typer.Option(help="Fewest characters before a text ends.")] = 0,
    top_k: Annotated[int | None, typer.Option(help="Only the k likeliest.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Only the likeliest whose probabilities reach p.")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Only those at least p times as likely as the likeliest.")
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1 avoids repeating recent tokens.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help="End a text before this string; may be repeated.")
    ] = None,
    ban: Annotated[
        list[str] | None, typer.Option(help="A string that must not appear; may be repeated.")
    ] = None,
    unique: Annotated[bool, typer.Option("--unique", help="No text twice.")] = False,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same texts.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: text, finish_reason, tokens.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace an existing output.")
    ] = False,
) -> None:
    """Write texts with a model."""
    from textgenrnn.api import textgenrnn
    from textgenrnn.cli.common import model_path, refuse_existing
    from textgenrnn.config import reworded
    from textgenrnn.storage import atomic_write, check_writable

    if output is not None:
        refuse_existing(output, force=force)
        check_writable(output)
    textgen = textgenrnn(model_path(model))

    def render(result: GenerationResult) -> str:
        if not as_json:
            return result.text
        values = {
            "text": result.text,
            "finish_reason": result.finish_reason,
            "tokens": len(result.token_ids),
        }
        return json.dumps(values, ensure_ascii=False)

    def show(result: GenerationResult) -> None:
        if output is None:
            print(render(result), flush=True)

    with warnings.catch_warnings(), reworded(_OPTION_NAMES):
        warnings.simplefilter("always")
        warnings.showwarning = _print_warning
        results = textgen.generate_results(
            n,
            prefix=prefix,
            temperature=_parse_temperatures(temperature),
            max_gen_length=max_length,
            min_gen_length=min_length,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=tuple(stop or ()),
            banned=tuple(ban or ()),
            unique=unique,
            seed=seed,
            on_result=show,
        )
    if output is not None:
        with atomic_write(output) as file:
            lines = "".join(render(result) + "\n" for result in results)
            file.write(lines.encode(errors="backslashreplace"))


def _parse_temperatures(text: str) -> float | list[float]:
    from textgenrnn.errors import ConfigError

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--temperature takes a number or several separated by commas, such as 0.7 or "
            f"1.0,0.5,0.2; got {text!r}."
        ) from None
    return values[0] if len(values) == 1 else values


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"textgenrnn: {message}", file=sys.stderr)
