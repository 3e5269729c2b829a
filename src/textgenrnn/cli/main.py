"""The command's frame: sub-commands, version, and errors in one line."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from textgenrnn.cli.generate import generate
from textgenrnn.cli.info import info
from textgenrnn.cli.train import train
from textgenrnn.errors import ConfigError, TextgenrnnError

__all__ = ["main"]

app = typer.Typer(
    name="textgenrnn",
    help="Train your own text generator on any text, then generate from it anywhere.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(generate)
app.command()(info)


def _print_version(value: bool) -> None:  # noqa: FBT001 (typer's callback form)
    if value:
        from textgenrnn._version import __version__

        print(f"textgenrnn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    if debug:
        os.environ["TEXTGENRNN_DEBUG"] = "1"


def main() -> None:
    """Run the command; exits with 0, 1 (failure), 2 (usage) or 130 (interrupted)."""
    try:
        app()
    except TextgenrnnError as error:
        if os.environ.get("TEXTGENRNN_DEBUG"):
            raise
        print(f"textgenrnn: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:
        # The reader has had enough (`| head`). Python would complain once more while it closes
        # the standard output, so give it another one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("textgenrnn: interrupted", file=sys.stderr)
        sys.exit(130)
