"""The class ``textgenrnn``: the original's interface, thin over the rooms below it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textgenrnn.api.options import (
    TextFile,
    check_count,
    check_options,
    coverage,
    for_text,
    make_model,
    read_texts,
    sampling_config,
    train_config,
)
from textgenrnn.config import SamplingConfig, TrainConfig
from textgenrnn.errors import ConfigError, NotTrainedError

if TYPE_CHECKING:
    from textgenrnn.generation import AnyDecoder, GenerationResult
    from textgenrnn.network.model import LanguageModel
    from textgenrnn.text import Corpus
    from textgenrnn.training.loop import TrainResult

    StrPath = str | os.PathLike[str]

__all__ = ["textgenrnn"]

_AUTO_MINUTES = 3.0
_GOOD_COVERAGE = 0.98
_SAVED = "textgenrnn_weights_saved.hdf5"


class textgenrnn:
    """A text generator: train it on texts, let it write, keep it in one file.

    Args:
        weights_path: A model file to begin with, ours or the original's; ``None``: the bundled
            model that ``pretrained`` names.
        vocab_path: Vocabulary of an old weight file that comes without it (JSON).
        config_path: Configuration of an old weight file that comes without it (JSON).
        name: Names the files that are written when no name is given.
        allow_growth: Accepted for old scripts and ignored; there is no such setting any more.
        pretrained: Bundled model to begin with, and to which :meth:`reset` returns; ``None``: an
            untrained one.

    Attributes:
        name: As given.
        pretrained: As given.
        last_training: How the last training went; ``None`` before the first.

    Raises:
        FileAccessError: If the model file cannot be read.
        ModelFileError: If it is no model file, or damaged.

    Example:
        >>> textgen = textgenrnn()                                      # doctest: +SKIP
        >>> textgen.train_from_file("cities.txt", minutes=1)            # doctest: +SKIP
        >>> textgen.generate(3, temperature=0.7)                        # doctest: +SKIP
    """

    META_TOKEN: ClassVar[str] = "<s>"
    """Stands before and after every text."""

    def __init__(
        self,
        weights_path: StrPath | None = None,
        vocab_path: StrPath | None = None,
        config_path: StrPath | None = None,
        name: str = "textgenrnn",
        allow_growth: bool | None = None,
        *,
        pretrained: str | None = "en",
    ) -> None:
        self.name = name
        self.pretrained = pretrained
        self.last_training: TrainResult | None = None
        self._model: LanguageModel | None = None
        self._decoder: AnyDecoder | None = None
        if weights_path is not None:
            self.load(weights_path, vocab_path, config_path)
        elif vocab_path is not None or config_path is not None:
            raise ConfigError(
                "`vocab_path` and `config_path` belong to a weight file; give `weights_path` too."
            )
        elif pretrained is not None:
            from textgenrnn.pretrained import check_base

            check_base(pretrained)

    @property
    def language_model(self) -> LanguageModel:
        """The model: configuration, parameters and tokenizer, immutable.

        Raises:
            NotTrainedError: If there is none yet.
        """
        if self._model is None and self.pretrained is not None:
            from textgenrnn.pretrained import load_base

            self._model = load_base(self.pretrained)
        if self._model is None:
            raise NotTrainedError(
                "there is no model yet: train one first, for example with train_from_file(), or "
                "load one with textgenrnn('model.safetensors')."
            )
        return self._model

    @property
    def config(self) -> dict[str, Any]:
        """The model's configuration under the original's names; a copy.

        Raises:
            NotTrainedError: If there is no model yet.
        """
        from textgenrnn.storage.original_config import to_original

        return to_original(self.language_model.config, name=self.name)

    @property
    def vocab(self) -> dict[str, int]:
        """Token to id; a copy."""
        return dict(self.language_model.tokenizer.vocabulary.ids)

    @property
    def indices_char(self) -> dict[int, str]:
        """Id to token; a copy."""
        return {index: token for token, index in self.vocab.items()}

    @property
    def num_classes(self) -> int:
        """Number of token ids, padding included."""
        return self.language_model.config.vocab_size

    # Training

    def train_on_texts(
        self,
        texts: Iterable[str] | TextFile,
        *,
        new_model: bool | Literal["auto"] = False,
        minutes: float | None = None,
        num_epochs: int | None = None,
        batch_size: int | None = None,
        gen_epochs: int = 1,
        train_size: float | None = None,
        validation: bool = True,
        max_gen_length: int = 300,
        verbose: int = 1,
        single_text: bool | None = None,
        size: Literal["auto"] | None = None,
        rnn_layers: int | None = None,
        rnn_size: int | None = None,
        rnn_bidirectional: bool | None = None,
        form: Literal["recurrent", "windowed"] | None = None,
        dim_embeddings: int | None = None,
        max_length: int | None = None,
        max_words: int = 10_000,
        attention: bool | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        threads: int | None = None,
        patience: int | None = None,
        seed: int | None = None,
        output: StrPath | None = None,
    ) -> None:
        """Train on texts in memory. Ctrl-C ends the training and keeps the best model so far.

        Args:
            texts: The documents; blank ones are dropped.
            new_model: Whether to start anew rather than from the present model; ``"auto"``: unless
                that knows 98 % of the texts' characters.
            minutes: Time for everything; plans size, batch and schedule, holds out 5 % of 20
                documents or more, and keeps the model that is best on them.
            num_epochs: Passes over the texts, 50 by default; not together with ``minutes``.
            batch_size: Parallel rows; ``None``: planned by the data.
            gen_epochs: Print samples after every so many epochs; 0: never.
            train_size: Share of the texts to learn from, in [0.5, 1]; the rest is held out and the
                best model on it is kept. ``None``: 1 with ``num_epochs``, planned with ``minutes``.
            validation: Whether to score the texts that ``train_size`` leaves over.
            max_gen_length: Longest sample, in characters.
            verbose: 0 prints nothing.
            single_text: Whether the texts are one long text; ``None``: as the present model
                learned, else no.
            size: ``"auto"`` plans the size of a new model by the data.
            rnn_layers: LSTM layers of a new model (2).
            rnn_size: Cells per layer of a new model (128).
            rnn_bidirectional: Whether each layer of a new model also reads backwards (no); then
                its form is windowed.
            form: ``recurrent`` (the default) or ``windowed``, the original's, which predicts from
                the last ``max_length`` characters alone.
            dim_embeddings: Length of a new model's embedding vectors (100).
            max_length: Span of a new model's attention, or its window, in tokens (40).
            max_words: Most characters of a new vocabulary.
            attention: Whether a new model has the attention average; ``None``: planned.
            learning_rate: Peak rate; ``None``: planned.
            dropout: Share of the output layer's inputs silenced while training; ``None``: planned.
            precision: Arithmetic, see :class:`~textgenrnn.config.TrainConfig`.
            threads: CPU threads; ``None``: as many as help.
            patience: Stop after so many validations without improvement; ``None``: never.
            seed: Makes the run repeatable.
            output: Model file that is written while training goes on and at its end.

        Raises:
            ConfigError: If a setting is out of range.
            DataError: If there is no text.
            FileAccessError: If ``output`` cannot be written; found out before training.
        """
        from textgenrnn.storage import check_savable

        started = time.perf_counter()
        config = train_config(
            train_size,
            minutes=minutes,
            num_epochs=num_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            dropout=dropout,
            patience=patience,
            precision=precision,
            threads=threads,
            seed=seed,
        )
        sampling_config({"max_gen_length": max_gen_length})
        check_count("gen_epochs", gen_epochs, 0)
        check_count("max_words", max_words, 1)
        if output is not None:
            check_savable(output)
        untrained = self._model is None and self.pretrained is None
        anew = new_model is True or untrained
        model = None if anew else for_text(self.language_model, single_text=single_text)
        if model is not None:
            single_text = model.config.single_text
        corpus = read_texts(texts, single_text=bool(single_text), output=output)
        if new_model == "auto" and model is not None and coverage(model, corpus) < _GOOD_COVERAGE:
            model = None
        new = model is None
        if model is None:
            if form == "recurrent" and rnn_bidirectional:
                raise ConfigError(
                    "`rnn_bidirectional` must be False in the recurrent form, got True; pass "
                    "form='windowed', or leave `form` out."
                )
            model = make_model(
                corpus,
                {
                    "rnn_size": rnn_size,
                    "rnn_layers": rnn_layers,
                    "rnn_bidirectional": rnn_bidirectional,
                    "dim_embeddings": dim_embeddings,
                    "max_length": max_length,
                    "attention": attention,
                },
                minutes=_AUTO_MINUTES if minutes is None and size == "auto" else minutes,
                windowed=bool(rnn_bidirectional) or form == "windowed",
                max_words=max_words,
                seed=seed,
            )
        self._train(
            model,
            corpus,
            config,
            new=new,
            validation=validation,
            output=output,
            show=bool(verbose),
            gen_epochs=gen_epochs,
            max_gen_length=max_gen_length,
            started=started,
        )

    def _train(
        self,
        model: LanguageModel,
        corpus: Corpus,
        config: TrainConfig,
        *,
        max_gen_length: int,
        **options: Any,
    ) -> None:
        """Run the training and take over its result."""
        from textgenrnn.training.session import run_session

        def show_samples(snapshot: LanguageModel) -> None:
            # Of another instance: this one keeps its model until there is a better one.
            sampler = textgenrnn(name=self.name)
            sampler._set_model(snapshot)
            sampler.generate_samples(max_gen_length=max_gen_length)

        def take(result: TrainResult) -> None:
            self._set_model(result.model)
            self.last_training = result

        run_session(model, corpus, config, take=take, show_samples=show_samples, **options)

    def train_new_model(self, texts: Iterable[str], **options: Any) -> None:
        """Train a new model; see :meth:`train_on_texts` for the options."""
        check_options(options, self.train_on_texts)
        self.train_on_texts(texts, **{**options, "new_model": True})

    def train_from_file(
        self,
        file_path: StrPath,
        *,
        header: bool | None = None,
        encoding: str | None = None,
        **options: Any,
    ) -> None:
        """Train on a text file with one document per line.

        Args:
            file_path: The file, or ``-`` for standard input.
            header: Whether the first line is a title of the column and no document; ``None``: it
                is one if it stands in a documented list (``title``, ``text``, ``标题`` …).
            encoding: Of the file; ``None``: found out.
            options: Those of :meth:`train_on_texts`. With ``single_text=True`` the whole file is
                one document.

        Raises:
            ConfigError: If an option is unknown or out of range.
            FileAccessError: If the file cannot be read.
            DataError: If it is empty, binary, or not in the given encoding.
        """
        check_options(options, self.train_from_file, self.train_on_texts)
        self.train_on_texts(TextFile(file_path, header, encoding), **options)

    def train_from_largetext_file(
        self, file_path: StrPath, *, new_model: bool = True, **options: Any
    ) -> None:
        """Train on a file that is one long text; options as :meth:`train_from_file`."""
        self.train_from_file(file_path, **{**options, "new_model": new_model, "single_text": True})

    # Generation

    def generate(
        self,
        n: int = 1,
        return_as_list: bool = False,
        prefix: str | None = None,
        temperature: float | Sequence[float] = 0.5,
        max_gen_length: int = 300,
        *,
        progress: bool = True,
        **options: Any,
    ) -> list[str] | None:
        """Write texts: print them, or return them.

        Args:
            n: Number of texts.
            return_as_list: Whether to return the texts instead of printing them.
            prefix: Every text begins with it.
            temperature: Higher is more surprising; several values cycle by position.
            max_gen_length: Most characters of a text, prefix included.
            progress: Whether a terminal shows a bar while a list is made.
            options: Those of :meth:`generate_results`.

        Returns:
            The texts, if ``return_as_list``.

        Raises:
            NotTrainedError: If there is no model yet.
            ConfigError: If a setting is out of range.
        """
        options |= {"temperature": temperature, "max_gen_length": max_gen_length}
        if not return_as_list:
            self.generate_results(
                n, prefix=prefix, on_result=lambda result: print(f"{result.text}\n"), **options
            )
            return None
        with _progress_bar(n, shown=progress) as advance:
            results = self.generate_results(n, prefix=prefix, on_result=advance, **options)
        return [result.text for result in results]

    def generate_results(
        self,
        n: int = 1,
        *,
        prefix: str | None = None,
        unique: bool = False,
        batch_size: int = 64,
        on_result: Callable[[GenerationResult], None] | None = None,
        **sampling: Any,
    ) -> list[GenerationResult]:
        """Write texts and return each with its tokens and why it ended.

        Args:
            n: Number of texts.
            prefix: Every text begins with it.
            unique: Whether all texts must differ.
            batch_size: Most texts written at the same time.
            on_result: Called with each text as soon as it is there, in order.
            sampling: Fields of :class:`~textgenrnn.config.SamplingConfig`; ``max_gen_length`` and
                ``min_gen_length`` stand for its ``max_tokens`` and ``min_tokens``.

        Raises:
            NotTrainedError: If there is no model yet.
            ConfigError: If a setting is unknown or out of range.
        """
        from textgenrnn.generation import generate

        check_options(sampling, self.generate_results, SamplingConfig)
        return generate(
            self._get_decoder(),
            n,
            prefix=prefix or "",
            sampling=sampling_config(sampling),
            unique=unique,
            batch_size=batch_size,
            on_result=on_result,
        )

    def stream(self, prefix: str | None = None, **sampling: Any) -> Iterator[str]:
        """Yield one text in pieces as it is written; settings as :meth:`generate_results`."""
        from textgenrnn.generation import stream

        check_options(sampling, self.stream, SamplingConfig)
        return stream(self._get_decoder(), prefix=prefix or "", sampling=sampling_config(sampling))

    def generate_samples(
        self, n: int = 3, temperatures: Sequence[float] = (0.2, 0.5, 1.0), **options: Any
    ) -> None:
        """Print n texts at each of several temperatures; options as :meth:`generate`."""
        for temperature in temperatures:
            print("#" * 20 + f"\nTemperature: {temperature}\n" + "#" * 20)
            self.generate(n, temperature=temperature, **options)

    def generate_to_file(self, destination_path: StrPath, **options: Any) -> None:
        """Write texts into a file, one after the other; options as :meth:`generate`.

        Raises:
            FileAccessError: If the file cannot be written; an existing one is unchanged then.
        """
        from textgenrnn.storage import atomic_write, check_writable

        check_writable(destination_path)
        texts = self.generate(**{**options, "return_as_list": True})
        assert texts is not None
        with atomic_write(destination_path) as file:
            file.write("".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass"))

    # Files

    def save(self, path: StrPath | None = None) -> None:
        """Write the model into one file.

        Args:
            path: Where; a name that ends in ``.hdf5`` makes the original's format, any other
                ``.safetensors``. ``None``: ``textgenrnn_weights_saved.hdf5``, as the original does.

        Raises:
            NotTrainedError: If there is no model yet.
            FileAccessError: If the file cannot be written; an existing one is unchanged then.
        """
        from textgenrnn.storage import save_model

        save_model(self.language_model, path if path is not None else _SAVED)

    def load(
        self,
        weights_path: StrPath,
        vocab_path: StrPath | None = None,
        config_path: StrPath | None = None,
    ) -> None:
        """Replace the model by one from a file: weights, vocabulary and settings together.

        Args:
            weights_path: A model file, ours or the original's.
            vocab_path: Vocabulary of an old weight file that comes without it (JSON).
            config_path: Configuration of an old weight file that comes without it (JSON).

        Warns:
            ModelFileWarning: If an old weight file says less than is needed.

        Raises:
            FileAccessError: If the file cannot be read.
            ModelFileError: If it is no model file, or damaged.
        """
        from textgenrnn.storage import load_model

        self._set_model(load_model(weights_path, vocab_path, config_path))

    def reset(self) -> None:
        """Return to the bundled model, whatever was loaded or trained; the name stays."""
        self._set_model(None)
        self.last_training = None

    def _set_model(self, model: LanguageModel | None) -> None:
        self._model, self._decoder = model, None

    def _get_decoder(self) -> AnyDecoder:
        if self._decoder is None:
            from textgenrnn.generation import make_decoder

            self._decoder = make_decoder(self.language_model)
        return self._decoder


@contextmanager
def _progress_bar(n: int, *, shown: bool) -> Iterator[Callable[[object], None]]:
    """Show a bar while a list of texts is made, in a terminal only; yields what advances it."""
    if not shown or n < 2 or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("generating", total=n)
        yield lambda _: bar.advance(task)
