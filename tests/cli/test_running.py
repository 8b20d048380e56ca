from __future__ import annotations

import os
import signal

import pytest
import trio

from usertcp.cli.ending import Failure
from usertcp.cli.running import run
from usertcp.runtime.device import DeviceGone
from usertcp.runtime.errors import CommandError, SetupError


async def fails_with(*errors: Exception) -> int:
    async def fail(error: Exception) -> None:
        raise error

    async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
        for error in errors:
            inner.start_soon(fail, error)
        nursery.cancel_scope.shield = True
    return 0


def test_the_status_is_what_the_work_returns() -> None:
    async def work() -> int:
        return 7

    assert run(work) == 7


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (SetupError("no TUN"), "no TUN", 1),
        (DeviceGone("it was removed"), "it was removed", 1),
        (CommandError("not found", 127), "not found", 127),
        (Failure("it failed", 3), "it failed", 3),
    ],
)
def test_an_expected_error_becomes_one_line(error: Exception, message: str, status: int) -> None:
    with pytest.raises(Failure) as caught:
        run(lambda: fails_with(error))
    assert (str(caught.value), caught.value.status) == (message, status)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run(lambda: fails_with(SetupError("no TUN"), RuntimeError("a bug")))
    assert "a bug" in str(caught.value.exceptions[0].exceptions)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_lets_the_work_end_in_good_order(number: int, status: int) -> None:
    before = signal.getsignal(number)
    ended = False

    async def work() -> int:
        nonlocal ended
        os.kill(os.getpid(), number)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            # The next one kills.
            assert signal.getsignal(number) is signal.SIG_DFL
            ended = True
        return 5

    assert run(work) == status
    assert ended
    assert signal.getsignal(number) is before
