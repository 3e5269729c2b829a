"""The command as a whole; where the process itself matters, in a process of its own."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from textgenrnn import cli as package
from textgenrnn import textgenrnn
from textgenrnn._version import __version__
from textgenrnn.cli import app, main
from textgenrnn.storage import load_model

Cli = Callable[..., tuple[int, str, str]]
COMMAND = (sys.executable, "-W", "error", "-m", "textgenrnn")
TEXTS = ["Oslo", "Bergen", "Paris", "Nice", "Lyon", "Rome"] * 5
# Small, endless but for Ctrl-C, and with a line at each epoch that says it has learned something.
ENDLESS = ("train", "texts.txt", "--epochs", "2000", "--cells", "8", "--threads", "1")
PATIENCE_S = 120.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in a folder with `texts.txt`."""
    processes: list[subprocess.Popen[str]] = []

    def start_process(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        settings = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, **options}
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
            **settings,
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        process.kill()
        process.communicate()


def read_until(stream: IO[str], text: str) -> str:
    """Read lines until one holds a text; fails at the end of the output."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} is not in {''.join(lines)!r}")


# In this process


def test_help_lists_the_commands(cli: Cli) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    for name in ("train", "generate", "info", "--version", "--debug"):
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    assert cli("-h").out == out


@pytest.mark.parametrize("command", ["train", "generate", "info"])
@pytest.mark.parametrize("columns", [40, 80])
def test_help_of_a_command(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: textgenrnn {command} [OPTIONS] ")
    assert max(map(len, out.splitlines())) <= max(columns, 50)
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", out, re.MULTILINE)
    assert "--help" in options
    assert len(set(options)) == len(options) >= 2


def test_no_command_is_wrong_usage_but_shows_help(cli: Cli) -> None:
    code, out, err = cli()
    assert (code, err) == (2, "")
    assert out.startswith("Usage: textgenrnn ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["bogus"], "No such command 'bogus'; see `textgenrnn --help`."),
        (["train"], "Missing argument 'FILE'; see `textgenrnn train --help`."),
        (["generate", "m", "--tempature", "1"], r"No such option: --tempature .*--temperature.*\."),
        (["train", "f", "--epochs", "many"], r"Invalid value for '--epochs': .*; see `.*"),
    ],
)
def test_wrong_usage_is_told_in_one_line(cli: Cli, arguments: list[str], error: str) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(f"textgenrnn: {error}\n", err)


def test_debug_shows_the_traceback(cli: Cli) -> None:
    assert cli("info", "nope").code == 1
    with pytest.raises(OSError, match="`nope` does not exist"):
        cli("--debug", "info", "nope")


def test_too_little_memory_is_told_in_one_line(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 671. GiB")

    monkeypatch.setattr("textgenrnn.training.new_model.initial_parameters", too_large)
    code, _, err = cli("train", "texts.txt", "--cells", "300000")
    assert code == 1
    assert err == (
        "textgenrnn: there is not enough memory (Unable to allocate 671. GiB); try fewer --cells.\n"
    )


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_main_exits_with_the_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["textgenrnn", "info", "x"])
    monkeypatch.setattr(app, "run", lambda arguments: seen.append(arguments) or code)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert seen == [["info", "x"]]


def test_ctrl_c_outside_of_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupted)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "textgenrnn: interrupted\n")


def test_the_package_offers_main_alone() -> None:
    assert package.__all__ == ["main"]


# In processes of their own


def test_python_m_and_version(start: Callable[..., subprocess.Popen[str]]) -> None:
    out, err = start("--version").communicate(timeout=PATIENCE_S)
    assert (out, err) == (f"textgenrnn {__version__}\n", "")


def test_a_reader_that_has_had_enough(
    start: Callable[..., subprocess.Popen[str]], model_file: Path
) -> None:
    process = start("generate", model_file, "-n", "100000", "--max-length", "50")
    assert process.stdout.readline() != ""
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == 1
    assert process.stderr.read() == ""


def test_training_goes_on_when_nobody_reads(
    start: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    process = start(*ENDLESS[:2], "--epochs", "20", *ENDLESS[4:])
    read_until(process.stdout, "Epoch 1/20")
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == 1
    assert process.stderr.read() == ""
    assert load_model(folder / "model.safetensors").training["ended"] == "epochs"


@pytest.mark.skipif(sys.platform == "win32", reason="signals work otherwise there")
def test_ctrl_c_twice_keeps_the_model(
    start: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    process = start(*ENDLESS)
    read_until(process.stdout, "Epoch ")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert err == ""
    assert "interrupted; the best model so far is kept.\nSaved model.safetensors" in out
    assert load_model(folder / "model.safetensors").training["ended"] == "interrupted"
    assert textgenrnn(folder / "model.safetensors").generate(1, return_as_list=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals work otherwise there")
def test_ctrl_c_while_it_waits_for_standard_input(
    start: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    process = start("train", "-", stdin=subprocess.PIPE)
    # Python is up and reads when the first bytes are gone: the pipe holds 64 KiB.
    process.stdin.write("Oslo\n" * 30_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert out == ""
    assert err == "textgenrnn: interrupted before anything was learned\n"
    assert not (folder / "model.safetensors").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_ctrl_c_in_a_terminal(folder: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    process, terminal = pty.fork()
    if process == 0:  # the child, whose terminal it is
        os.chdir(folder)
        os.environ.update({"TERM": "xterm", "OMP_NUM_THREADS": "1"})
        os.execv(sys.executable, [*COMMAND, *ENDLESS])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    shown = ""
    pressed = False
    ends_at = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < ends_at:
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            try:
                data = os.read(terminal, 65536)
            except OSError:  # how Linux tells that nobody is on the other side
                break
            if not data:
                break
            shown += data.decode(errors="replace")
            if not pressed and "Epoch " in shown and "%" in shown:
                os.write(terminal, b"\x03\x03")
                pressed = True
    finally:
        os.close(terminal)
        status = os.waitpid(process, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 130
    assert "Traceback" not in shown
    assert "interrupted; the best model so far is kept." in shown
    # The cursor is back, and the bar never was wider than the terminal.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    plain = re.sub(r"\x1b\[[0-9;?]*[mhl]", "", shown.replace("^C", ""))
    bars = [line for line in re.split(r"[\r\n]+|\x1b\[\d*[AK]", plain) if "%" in line]
    assert bars
    assert all(len(bar) <= 40 for bar in bars)
    assert load_model(folder / "model.safetensors").training["ended"] == "interrupted"
