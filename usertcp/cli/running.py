"""How a verb runs under trio: signals, and what becomes of errors."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import trio

from usertcp.cli.ending import INTERRUPTED, Failure
from usertcp.runtime.device import DeviceGone
from usertcp.runtime.errors import CommandError, SetupError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXPECTED: Final = (Failure, SetupError, CommandError, DeviceGone, OSError)


def run(work: Callable[[], Awaitable[int]]) -> int:
    """Run ``work`` and return the exit status that it returns; 130 after SIGINT and 0 after SIGTERM.

    Either signal cancels ``work``, which may take its time to end in good order; the next one kills.

    :raises Failure: what went wrong, in one line.
    """
    try:
        return trio.run(_until_signal, work)
    except Exception as error:
        raise _explained(error) from error


async def _until_signal(work: Callable[[], Awaitable[int]]) -> int:
    status = 0

    async def watch(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        nonlocal status
        async for number in signals:
            status = INTERRUPTED if number == signal.SIGINT else 0
            for each in SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            scope.cancel()

    with trio.open_signal_receiver(*SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, signals, nursery.cancel_scope)
            status = await work()
            nursery.cancel_scope.cancel()
    return status


def _explained(error: Exception) -> Exception:
    """What is shown to the user for ``error``, which trio may have wrapped into groups."""
    happened = list(leaves(error))
    if not all(isinstance(leaf, _EXPECTED) for leaf in happened):
        return error  # a bug of ours: its traceback is of use
    for leaf in happened:
        match leaf:
            case Failure() | OSError():
                return leaf
            case SetupError() | DeviceGone():
                return Failure(str(leaf))
            case CommandError():
                return Failure(str(leaf), leaf.status)
    return error


def leaves(error: BaseException) -> Iterator[BaseException]:
    """What happened, without the groups that trio's nurseries made of it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
