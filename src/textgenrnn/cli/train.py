"""``textgenrnn train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from textgenrnn.cli.common import DEFAULT_MODEL

__all__ = ["train"]

_DEFAULT_MINUTES = 3.0
# What errors call a setting, and what it is called here.
_OPTION_NAMES = {
    "`minutes`": "--minutes",
    "`num_epochs`": "--epochs",
    "`encoding`": "--encoding",
    "`rnn_size`": "--cells",
    "`rnn_layers`": "--layers",
    "`batch_size`": "--batch-size",
    "`learning_rate`": "--learning-rate",
    "`dropout`": "--dropout",
    "`threads`": "--threads",
    "`seed`": "--seed",
}


def train(
    file: Annotated[
        str,
        typer.Argument(
            help="Text file, one document a line; - reads standard input.", metavar="FILE"
        ),
    ],
    *,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time for everything, in minutes (3 unless --epochs is given)."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the text instead.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")] = Path(
        "model.safetensors"
    ),
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace an existing output.")
    ] = False,
    single_text: Annotated[
        bool, typer.Option("--single-text", help="The file is one long text, such as a book.")
    ] = False,
    new: Annotated[
        bool,
        typer.Option(
            "--new",
            help="Start from nothing, not from the bundled English model, which is what happens to "
            "texts whose characters it knows.",
        ),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Model file to go on from, or `en`.", metavar="MODEL"),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="The first line is a title, no document."),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file.")] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(help="Share of the text to validate on, in [0, 0.5].", show_default="planned"),
    ] = None,
    cells: Annotated[
        int | None, typer.Option(help="Cells per layer.", show_default="planned")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="LSTM layers.", show_default="planned")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Parallel rows.", show_default="planned")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak rate.", show_default="planned")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout in [0, 0.9].", show_default="planned")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", show_default="as many as help")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the run repeatable.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a model on a text file and keep it in one file.

    Ctrl-C ends the training early and keeps the best model so far.
    """
    from textgenrnn.api import textgenrnn
    from textgenrnn.cli.common import interrupt_on_termination, model_path, refuse_existing
    from textgenrnn.config import reworded
    from textgenrnn.errors import ConfigError

    if new and start is not None:
        raise ConfigError("--new starts from nothing and --from from a model; give one of them.")
    if minutes is not None and epochs is not None:
        raise ConfigError("give either --minutes or --epochs, not both.")
    if start is not None and (cells is not None or layers is not None):
        raise ConfigError(
            "--cells and --layers shape a new model; a model given by --from has its own."
        )
    if hold_out is not None and not 0.0 <= hold_out <= 0.5:
        raise ConfigError(f"--hold-out must be in [0, 0.5], got {hold_out}.")
    # The bundled model has a size of its own.
    shaped = cells is not None or layers is not None
    new_model: bool | Literal["auto"] = "auto"
    if start is not None:
        new_model = False
    elif new or shaped:
        new_model = True
    refuse_existing(output, force=force)
    if minutes is None and epochs is None:
        minutes = _DEFAULT_MINUTES
    interrupt_on_termination()
    try:
        textgen = textgenrnn(model_path(start or DEFAULT_MODEL))
        with reworded(_OPTION_NAMES):
            textgen.train_from_file(
                file,
                header=header,
                encoding=encoding,
                new_model=new_model,
                minutes=minutes,
                num_epochs=epochs,
                output=output,
                single_text=single_text or None,
                train_size=None if hold_out is None else 1.0 - hold_out,
                size="auto",
                rnn_size=cells,
                rnn_layers=layers,
                batch_size=batch_size,
                learning_rate=learning_rate,
                dropout=dropout,
                threads=threads,
                seed=seed,
                patience=10,
                gen_epochs=0,
                verbose=0 if quiet else 1,
            )
    except KeyboardInterrupt:
        print("textgenrnn: interrupted before anything was learned", file=sys.stderr)
        raise typer.Exit(130) from None
    if not quiet:
        size_mb = output.stat().st_size / 1e6
        print(f"Saved {output} ({size_mb:.1f} MB). Try: textgenrnn generate {output}")
    assert textgen.last_training is not None
    if textgen.last_training.reason == "interrupted":
        raise typer.Exit(130)
