"""How a training run is shown: live in a terminal or notebook, in plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from textgenrnn.network.model import LanguageModel
from textgenrnn.training.observer import Observer, Snapshot, Status
from textgenrnn.training.plan import Plan

__all__ = ["Display", "NotebookDisplay", "PlainDisplay", "TerminalDisplay", "make_display"]

_SAMPLES_AT = (0.1, 0.3, 0.6)
"""Progress at which sample texts are shown, so that people see it learn."""
_SMALLEST_BAR = 5
"""Characters; all figures and such a bar fit a terminal of 80."""
_PLAIN_INTERVAL_S = 10.0
_MOST_EPOCH_LINES = 50
_NOTEBOOK_LINES = 40


def describe_status(status: Status, *, width: int = 100) -> str:
    """Return the figures of a moment in at most about ``width`` characters, the chief ones first.

    Example:
        >>> describe_status(status, width=40)                           # doctest: +SKIP
        'loss 1.432 · 2.09 bits/char'
    """
    parts = [f"loss {status.loss:.3f}"]
    if status.held_out_bits is not None:
        parts.append(f"held-out {status.held_out_bits:.3f} bits/char")
    if math.isfinite(status.remaining_s):
        parts.append(f"{format_duration(status.remaining_s)} left")
    parts.append(f"{status.characters_per_s:,.0f} chars/s")
    text = parts[0]
    for part in parts[1:]:
        if len(text) + 3 + len(part) <= width:
            text += " · " + part
    return text


def format_duration(seconds: float) -> str:
    """Return seconds as people say them.

    Example:
        >>> format_duration(8), format_duration(75), format_duration(7260)
        ('8 s', '1:15', '2:01:00')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Observer, ABC):
    """What all displays share: what is said, and when.

    Args:
        num_epochs: Passes, if the run is counted in them; then each is a line of its own.
        sample: Returns sample texts of a model; ``None`` shows none.
    """

    def __init__(
        self, *, num_epochs: int | None, sample: Callable[[LanguageModel], list[str]] | None
    ) -> None:
        self._num_epochs = num_epochs
        self._sample = sample
        self._samples_due = deque(_SAMPLES_AT)

    @abstractmethod
    def line(self, text: str, *, dim: bool = False) -> None:
        """Show a line that stays."""

    @abstractmethod
    def refresh(self, status: Status) -> None:
        """Show where the run stands."""

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        """Show the plan's notes."""
        for note in plan.notes:
            self.line(f"Note: {note}")

    def progressed(self, status: Status, snapshot: Snapshot) -> None:
        """Refresh, and show samples when they are due."""
        self.refresh(status)
        if self._sample and self._samples_due and status.progress >= self._samples_due[0]:
            while self._samples_due and status.progress >= self._samples_due[0]:
                self._samples_due.popleft()
            self.line(f"after {format_duration(status.elapsed_s)} it writes:", dim=True)
            for text in self._sample(snapshot()):
                self.line(f"  {text}")

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        """Refresh."""
        self.refresh(status)

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        """Show a line for the pass, if the run is counted in passes; of very many, for some."""
        every = -(-(self._num_epochs or 1) // _MOST_EPOCH_LINES)
        last = status.epoch == self._num_epochs
        if self._num_epochs is not None and (status.epoch % every == 0 or last):
            held_out = (
                ""
                if status.held_out_bits is None
                else f" - held-out {status.held_out_bits:.3f} bits/char"
            )
            self.line(
                f"Epoch {status.epoch}/{self._num_epochs} - loss {status.epoch_loss:.4f}"
                f"{held_out} - {format_duration(status.elapsed_s)}"
            )
        self.refresh(status)


class TerminalDisplay(Display):
    """A bar with figures that fits the terminal's width, under the lines that stay."""

    def __init__(self, console: Console, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        """See :class:`Display`."""
        self._live.start()
        super().started(plan, held_out_tokens)

    def line(self, text: str, *, dim: bool = False) -> None:
        """See :class:`Display`."""
        self._console.print(Text(text, style="dim" if dim else ""), soft_wrap=True)

    def refresh(self, status: Status) -> None:
        """See :class:`Display`."""
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1, min_width=_SMALLEST_BAR)
        grid.add_column(justify="right", no_wrap=True)
        share = f"{status.progress:4.0%}  "
        room = self._console.width - _SMALLEST_BAR - 1 - len(share)
        figures = share + describe_status(status, width=room)
        grid.add_row(ProgressBar(total=1.0, completed=status.progress), Text(figures))
        self._live.update(grid)

    def finished(self, status: Status, reason: str) -> None:
        """See :class:`Display`."""
        self._live.update(Text(""))
        self._live.stop()


class PlainDisplay(Display):
    """Plain lines, one every ten seconds at most, for pipes and logs."""

    def __init__(self, console: Console, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._console = console
        self._last = time.perf_counter()

    def line(self, text: str, *, dim: bool = False) -> None:
        """See :class:`Display`."""
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()

    def refresh(self, status: Status) -> None:
        """See :class:`Display`."""
        now = time.perf_counter()
        if now - self._last >= _PLAIN_INTERVAL_S:
            self._last = now
            self.line(f"{status.progress:4.0%} · {describe_status(status)}")


class NotebookDisplay(Display):
    """One output area in Jupyter that is rewritten in place; needs no widgets."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        from IPython.display import display  # type: ignore[import-not-found]

        self._lines: deque[str] = deque(maxlen=_NOTEBOOK_LINES)
        self._figures = ""
        self._last = 0.0
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def line(self, text: str, *, dim: bool = False) -> None:
        """See :class:`Display`."""
        self._lines.append(text)
        self._show()

    def refresh(self, status: Status) -> None:
        """See :class:`Display`."""
        self._figures = f"{status.progress:4.0%} · {describe_status(status)}"
        if time.perf_counter() - self._last > 0.5:
            self._show()

    def finished(self, status: Status, reason: str) -> None:
        """See :class:`Display`."""
        self._figures = f"{status.progress:4.0%} · {describe_status(status)}"
        self._show()

    def _show(self) -> None:
        self._last = time.perf_counter()
        text = "\n".join([*self._lines, self._figures])
        self._handle.update({"text/plain": text}, raw=True)


class _Console(Console):
    """A console that falls silent when nobody reads it any more; rich's would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def make_display(
    *,
    num_epochs: int | None,
    sample: Callable[[LanguageModel], list[str]] | None,
    console: Console | None = None,
) -> Display:
    """Choose the display that fits where the output goes."""
    arguments = {"num_epochs": num_epochs, "sample": sample}
    if _in_notebook():
        return NotebookDisplay(**arguments)
    console = console or _Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalDisplay(console, **arguments)
    return PlainDisplay(console, **arguments)


def _in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, as opposed to a script or IPython's terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    # Colab's shell is a class of its own, derived from Jupyter's.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)
