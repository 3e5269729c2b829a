"""The command's frame: sub-commands, version, and errors in one line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from textgenrnn.cli.generate import generate
from textgenrnn.cli.info import info
from textgenrnn.cli.train import train
from textgenrnn.errors import ConfigError, TextgenrnnError

__all__ = ["run"]

# Plain help: it fits narrow terminals, and is there in two thirds of the time.
app = typer.Typer(
    name="textgenrnn",
    help="Train your own text generator on any text, then generate from it anywhere.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(generate)
app.command()(info)

# typer names this class nowhere, and has got it from different places over time.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def _print_version(value: bool) -> None:
    if value:
        from textgenrnn._version import __version__

        print(f"textgenrnn {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["TEXTGENRNN_DEBUG"] = "1"
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def run(arguments: Sequence[str]) -> int:
    """Run the command with some arguments and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A character that the terminal's encoding lacks is no reason to stop.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Not in standalone mode, in which typer prints errors by itself, over many lines.
        status = app(args=arguments, prog_name="textgenrnn", standalone_mode=False)
        if sys.stdout is not None:  # it is where the standard output was closed
            sys.stdout.flush()
    except (TextgenrnnError, _UsageError, MemoryError) as error:
        if os.environ.get("TEXTGENRNN_DEBUG"):
            raise
        print(f"textgenrnn: {_describe(error)}", file=sys.stderr)
        return 2 if isinstance(error, (ConfigError, _UsageError)) else 1
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        # The reader has had enough (`| head`). Python would complain once more while it closes
        # the standard output, so give it another one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status or 0


def _describe(error: Exception) -> str:
    if isinstance(error, _UsageError):
        command = error.ctx.command_path if error.ctx else "textgenrnn"
        return f"{error.format_message().rstrip('.')}; see `{command} --help`."
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error or 'no details'}); try fewer --cells."
    return str(error)
