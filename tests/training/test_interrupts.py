import signal
import threading
from collections.abc import Iterator

import pytest

from textgenrnn.training.interrupts import Interrupts


@pytest.fixture(autouse=True)
def handler_is_restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    after = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    assert after is before


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_first_ctrl_c_interrupts_and_others_wait() -> None:
    saved = False
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
        press_ctrl_c()
        press_ctrl_c()
        saved = True
    assert saved


def test_nothing_interrupts_once_it_is_held_back() -> None:
    saved = False
    with Interrupts() as interrupts:
        interrupts.hold_back()
        press_ctrl_c()
        saved = True
    assert saved


def test_ctrl_c_works_as_before_afterwards() -> None:
    with Interrupts() as interrupts:
        interrupts.hold_back()
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_an_error_restores_the_handler() -> None:
    with pytest.raises(ValueError, match="broken"), Interrupts():
        raise ValueError("broken")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "function"])
def test_a_handler_of_the_callers_own_stays(own: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, own)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is own
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_signals_alone() -> None:
    failures: list[Exception] = []

    def enter() -> None:
        try:
            with Interrupts():
                assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert failures == []
