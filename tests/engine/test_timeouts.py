"""A timeout that comes at the very moment when its block ends is told as one, or not at all."""

from __future__ import annotations

import signal
import time

import pytest

from findspot.engine import timeouts
from findspot.engine.errors import StepTimeout


@pytest.mark.parametrize("again", [3.0, 0.0002])
def test_it_rings_while_the_block_ends(again: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "AGAIN", again)
    handler = signal.getsignal(signal.SIGALRM)
    outcomes = set()
    for _ in range(3000):
        try:
            with timeouts.deadline("fit", 0.0005):
                end = time.perf_counter() + 0.00049
                while time.perf_counter() < end:
                    pass
            outcomes.add("in time")
        except StepTimeout:
            outcomes.add("too late")
    assert outcomes <= {"in time", "too late"}
    assert signal.getsignal(signal.SIGALRM) is handler


def test_the_timer_of_others_goes_on() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    others = signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        with pytest.raises(StepTimeout), timeouts.deadline("fit", 0.01):
            time.sleep(60)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 600
        assert rung == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, before)
