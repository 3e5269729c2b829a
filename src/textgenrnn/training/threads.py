"""The number of threads that is fastest now, on a machine that does other things too.

The kernels' threads wait for each other many times a step, and they wait spinning. As soon as
another program wants a core, one thread spins while the other is not running: a step of 2 threads
on 2 cores was measured 20 to 40 times slower beside one busy process, while a single thread lost
nothing (docs/experiments.md). So the number is chosen by measurement while training goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch

__all__ = ["ThreadTuner", "available_cores"]

_PROBE_INTERVAL_S = 10.0
_PROBE_SHARE = 0.03
"""Most of the time that goes into looking again without an alarm: beside a busy program a single
update of too many threads may take more than a second."""
_PROBE_UPDATES = 3
_REST = 3.0
"""After a probe, at least this many times its duration without another: probing stays the smaller
part, yet updates that suddenly take very long are looked into at once."""
_ALARM = 1.6
"""Three updates this many times slower than usual are looked into."""
_HOPELESS = 4.0
"""A single update this many times slower settles it."""


def available_cores() -> int:
    """Return the number of cores that this process may use and torch would, by itself.

    torch follows ``OMP_NUM_THREADS`` and what the program has set.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, torch.get_num_threads())


class ThreadTuner:
    """Sets torch's threads to the fastest of a few numbers, and looks again from time to time.

    Args:
        threads: A fixed number, which switches the tuning off; ``None``: up to all cores.
        set_threads: Applies a number; replaced in tests.
        clock: Seconds; replaced in tests.

    Example:
        >>> tuner = ThreadTuner(threads=None)                           # doctest: +SKIP
        >>> tuner.record(tokens=1024, seconds=0.02)   # after each update; doctest: +SKIP
    """

    def __init__(
        self,
        threads: int | None,
        *,
        set_threads: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        cores = available_cores() if threads is None else threads
        self._candidates = [cores] if threads is not None else sorted({1, (cores + 1) // 2, cores})
        self._set_threads = set_threads
        self._clock = clock
        self._best = cores
        self._rates: dict[int, float] = {}  # seconds per token, by number of threads
        # Numbers still to be tried, the fewest threads first: they are never very slow.
        self._queue = list(self._candidates) if len(self._candidates) > 1 else []
        self._times: list[float] = []
        self._most_tokens = 0
        self._probe_s = self._rest_s = 0.0
        self._last_probe = clock()
        set_threads(self._queue[0] if self._queue else cores)

    @property
    def threads(self) -> int:
        """The number in use when no other is being tried."""
        return self._best

    def record(self, *, tokens: int, seconds: float) -> None:
        """Note how long an update took, and set the number of threads for the next one.

        Args:
            tokens: Tokens processed, padding included.
            seconds: Wall-clock time.
        """
        self._most_tokens = max(self._most_tokens, tokens)
        # Small chunks say little: most of their time is fixed costs.
        if len(self._candidates) == 1 or 2 * tokens < self._most_tokens:
            return
        rate = seconds / tokens
        self._times.append(rate)
        if self._queue:
            self._probe_s += seconds
            hopeless = rate > _HOPELESS * min(self._rates.values(), default=rate)
            if len(self._times) == _PROBE_UPDATES or hopeless:
                # The smallest: a first update in a new setting pays for set-up.
                self._rates[self._queue.pop(0)] = min(self._times)
                self._times = []
                self._apply()
            return
        self._rest_s += seconds
        usual = self._rates[self._best]
        slower = len(self._times) == _PROBE_UPDATES and min(self._times) > _ALARM * usual
        interval = max(_PROBE_INTERVAL_S, self._probe_s / _PROBE_SHARE)
        due = self._clock() - self._last_probe > interval
        rested = self._rest_s > _REST * self._probe_s
        if rested and (slower or due or rate > _HOPELESS * usual):
            self._queue = list(self._candidates)
            self._rates = {}
            self._times = []
            self._probe_s = 0.0
            self._set_threads(self._queue[0])
        elif len(self._times) == _PROBE_UPDATES:
            self._times = []

    def _apply(self) -> None:
        """Go on with the next number to try, or with the best when all have been tried."""
        if self._queue:
            self._set_threads(self._queue[0])
            return
        self._best = min(self._rates, key=lambda n: self._rates[n])
        self._last_probe = self._clock()
        self._rest_s = 0.0
        self._set_threads(self._best)
