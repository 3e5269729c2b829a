import io
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from textgenrnn.network.model import LanguageModel
from textgenrnn.training import display
from textgenrnn.training.display import (
    Display,
    NotebookDisplay,
    PlainDisplay,
    TerminalDisplay,
    describe_status,
    format_duration,
    make_display,
)
from textgenrnn.training.observer import Status

MakeStatus = Callable[..., Status]
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NOTED = SimpleNamespace(notes=("the text is short.", "so is the time."))


class Clock:
    """Replaces the time module: seconds pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(display, "time", fake)
    return fake


def terminal(width: int) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, highlight=False, _environ={}
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def frames(console: Console) -> list[str]:
    """Everything that stood in a line of the terminal at some time."""
    plain = re.split(r"[\r\n]+|\x1b\[\d*[AK]", written(console))
    return [text for part in plain if (text := CONTROL.sub("", part)).strip()]


def no_snapshot() -> LanguageModel:
    raise AssertionError("no model is asked for")


def no_samples(model: LanguageModel) -> list[str]:
    raise AssertionError("no samples are due")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (8.4, "8 s"),
        (59.6, "1:00"),
        (75, "1:15"),
        (3599.9, "1:00:00"),
        (7260, "2:01:00"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_figures_give_way_to_the_width(make_status: MakeStatus) -> None:
    status = make_status(held_out_bits=2.0909)
    full = "loss 1.432 · held-out 2.091 bits/char · 3:45 left · 36,055 chars/s"
    assert describe_status(status) == full
    assert describe_status(status, width=len(full)) == full
    assert describe_status(status, width=len(full) - 1) == full.rpartition(" · ")[0]
    assert describe_status(status, width=30) == "loss 1.432 · 3:45 left"
    assert describe_status(status, width=3) == "loss 1.432"


def test_what_is_not_known_is_not_shown(make_status: MakeStatus) -> None:
    status = make_status(remaining_s=float("inf"))
    assert describe_status(status) == "loss 1.432 · 36,055 chars/s"


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_the_bar_and_its_figures_fit_the_terminal(make_status: MakeStatus, width: int) -> None:
    console = terminal(width)
    shown = TerminalDisplay(console, num_epochs=None, sample=no_samples)
    shown.started(NOTED, 0)
    shown.progressed(make_status(progress=0.07, held_out_bits=2.09), no_snapshot)
    shown._live.refresh()
    shown.finished(make_status(), "minutes")
    bars = [frame for frame in frames(console) if "━" in frame]
    assert bars
    assert all(len(bar) <= width for bar in bars)
    assert all("7%" in bar for bar in bars)
    assert any("3:45 left" in bar for bar in bars) == (width >= 40)
    # At 80 columns all figures are there.
    assert any("chars/s" in bar and "bits/char" in bar for bar in bars) == (width >= 80)


def test_the_terminal_is_left_as_it_was(make_status: MakeStatus) -> None:
    console = terminal(60)
    shown = TerminalDisplay(console, num_epochs=None, sample=None)
    assert written(console) == ""  # nothing before it starts: an error may come first
    stdout = sys.stdout
    shown.started(NOTED, 0)
    shown.refresh(make_status())
    shown.line("a line that stays")
    shown.finished(make_status(), "minutes")
    assert sys.stdout is stdout
    output = written(console)
    assert output.count("\x1b[?25l") == output.count("\x1b[?25h") == 1
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    kept = frames(console)
    assert "Note: the text is short." in kept
    assert "a line that stays" in kept
    assert "━" not in output[output.index("\x1b[?25h") :]


def test_long_lines_are_not_cut_to_the_terminal(make_status: MakeStatus) -> None:
    console = terminal(20)
    shown = TerminalDisplay(console, num_epochs=None, sample=None)
    shown.started(NOTED, 0)
    sample = "[bold]many[/bold] words, 花落知多少, more than fit a line :smile:"
    shown.line(sample, dim=True)
    shown.finished(make_status(), "minutes")
    assert sample in frames(console)


def test_plain_lines_come_every_ten_seconds(make_status: MakeStatus, clock: Clock) -> None:
    console = Console(file=io.StringIO(), width=30)
    shown = PlainDisplay(console, num_epochs=None, sample=None)
    shown.started(NOTED, 0)
    for _ in range(50):
        clock.now += 0.5
        shown.progressed(make_status(), no_snapshot)
    shown.validated(make_status(), no_snapshot, improved=True)
    shown.finished(make_status(), "minutes")
    figures = " 25% · loss 1.432 · 3:45 left · 36,055 chars/s"
    assert written(console).splitlines() == [
        "Note: the text is short.",
        "Note: so is the time.",
        figures,
        figures,
    ]


def test_each_epoch_has_a_line(make_status: MakeStatus) -> None:
    console = Console(file=io.StringIO())
    shown = PlainDisplay(console, num_epochs=3, sample=None)
    shown.epoch_ended(make_status(epoch=1), no_snapshot)
    shown.epoch_ended(make_status(epoch=2, held_out_bits=2.5), no_snapshot)
    assert written(console).splitlines() == [
        "Epoch 1/3 - loss 1.5000 - 1:15",
        "Epoch 2/3 - loss 1.5000 - held-out 2.500 bits/char - 1:15",
    ]


def test_passes_of_a_timed_run_have_none(make_status: MakeStatus) -> None:
    console = Console(file=io.StringIO())
    PlainDisplay(console, num_epochs=None, sample=None).epoch_ended(make_status(), no_snapshot)
    assert written(console) == ""


def test_samples_are_shown_a_few_times(
    make_status: MakeStatus, tiny_model: LanguageModel, clock: Clock
) -> None:
    asked: list[LanguageModel] = []

    def sample(model: LanguageModel) -> list[str]:
        asked.append(model)
        return ["Oslo", "[Paris]"]

    console = Console(file=io.StringIO())
    shown = PlainDisplay(console, num_epochs=None, sample=sample)
    for percent in range(0, 101, 2):
        shown.progressed(make_status(progress=percent / 100), lambda: tiny_model)
    assert asked == [tiny_model] * 3
    lines = written(console).splitlines()
    assert lines == ["after 1:15 it writes:", "  Oslo", "  [Paris]"] * 3


def test_samples_that_are_overdue_come_once(
    make_status: MakeStatus, tiny_model: LanguageModel
) -> None:
    asked: list[LanguageModel] = []

    def sample(model: LanguageModel) -> list[str]:
        asked.append(model)
        return []

    shown = PlainDisplay(Console(file=io.StringIO()), num_epochs=None, sample=sample)
    for _ in range(3):
        shown.progressed(make_status(progress=0.9), lambda: tiny_model)
    assert asked == [tiny_model]


class FakeHandle:
    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pretends to be a Jupyter kernel; returns what its one output area shows over time."""

    class ZMQInteractiveShell:
        pass

    class Shell(ZMQInteractiveShell):
        """Colab's shell."""

    shown: list[str] = []

    def show(data: dict[str, str], *, raw: bool, display_id: bool) -> FakeHandle:
        assert raw
        assert display_id
        shown.append(data["text/plain"])
        return FakeHandle(shown)

    kernel = SimpleNamespace(get_ipython=Shell, display=SimpleNamespace(display=show))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", kernel.display)
    return shown


def test_a_notebook_has_one_area_that_is_rewritten(
    notebook: list[str], make_status: MakeStatus, clock: Clock
) -> None:
    shown = make_display(num_epochs=None, sample=None)
    assert isinstance(shown, NotebookDisplay)
    shown.started(NOTED, 0)
    for _ in range(100):
        clock.now += 0.1
        shown.progressed(make_status(), no_snapshot)
    assert len(notebook) < 25  # not a hundred: people cannot read so fast
    shown.finished(make_status(progress=1.0, remaining_s=0.0), "minutes")
    assert notebook[-1].splitlines() == [
        "Note: the text is short.",
        "Note: so is the time.",
        "100% · loss 1.432 · 0 s left · 36,055 chars/s",
    ]


def test_a_notebook_keeps_the_last_lines_only(notebook: list[str], make_status: MakeStatus) -> None:
    shown = make_display(num_epochs=500, sample=None)
    for epoch in range(1, 501):
        shown.epoch_ended(make_status(epoch=epoch), no_snapshot)
    lines = notebook[-1].splitlines()
    assert len(lines) <= 41
    assert lines[-2].startswith("Epoch 500/500")


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    class TerminalInteractiveShell:
        pass

    ipython = SimpleNamespace(get_ipython=TerminalInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    console = Console(file=io.StringIO())
    assert isinstance(make_display(num_epochs=None, sample=None, console=console), PlainDisplay)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"force_terminal": True, "_environ": {"TERM": "xterm"}}, TerminalDisplay),
        ({"force_terminal": True, "_environ": {"TERM": "dumb"}}, PlainDisplay),
        ({"force_terminal": False, "_environ": {"TERM": "xterm"}}, PlainDisplay),
    ],
)
def test_the_display_fits_where_the_output_goes(
    settings: dict[str, Any], kind: type[Display]
) -> None:
    console = Console(file=io.StringIO(), **settings)
    assert type(make_display(num_epochs=None, sample=None, console=console)) is kind
