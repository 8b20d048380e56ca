"""A bound in real time."""

from __future__ import annotations

import signal
import threading

import pytest

from usertcp.drill.patience import TookTooLong, at_most


def forever() -> None:
    while True:
        pass


def test_what_never_ends_is_ended() -> None:
    with pytest.raises(TookTooLong), at_most(0.01):
        forever()


def test_what_ends_is_left_alone_and_the_alarm_is_given_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with at_most(10):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 5
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_that_somebody_else_has_set_stays() -> None:
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with at_most(1):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_in_another_thread_there_is_none() -> None:
    seen = []

    def look() -> None:
        with at_most(100):
            seen.append(signal.getitimer(signal.ITIMER_REAL)[0])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [0.0]
