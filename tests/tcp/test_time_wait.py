"""What is left of a connection in TIME-WAIT, and what is not."""

from __future__ import annotations

import gc
from weakref import ref

import pytest

from tests.scenarios.driver import PLAIN, in_state, meet
from usertcp.tcp.events import SegmentIn, SegmentOut, read
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


class Handle:
    """Lives as long as the connection that it is the ``user`` of: a compiled connection takes no weak references."""


@pytest.mark.parametrize("how", ["reset by the peer", "aborted by us", "released", "over"])
def test_the_connection_block_goes_with_its_application(how: str) -> None:
    """Not at the end of 2 MSL, when the queue comes to it."""
    us, peer = in_state(State.TIME_WAIT)
    match how:
        case "reset by the peer":
            peer.sends(RST, seq=2)
        case "aborted by us":
            us.aborts()
        case "released":
            us.releases()
        case "over":
            us.waits(PLAIN.time_wait)
    assert us.gone is (how != "released")
    us.tcb.user = Handle()
    block = ref(us.tcb.user)
    us.host.woken.clear()
    us.tcb = None  # type: ignore[assignment]
    gc.collect()
    assert block() is None


def test_windows_are_shown_scaled() -> None:
    us, peer = meet(Settings(timestamps=False))
    us.listens()
    peer.sends(SYN, seq=0, wscale=7)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.closes()
    peer.receives(FIN | ACK, seq=1)
    peer.sends(FIN | ACK, seq=1, ack=2, window=100)
    assert us.state is State.TIME_WAIT
    peer.sends(FIN | ACK, seq=1, ack=2, window=100)
    events = [read(event) for event in us.events]
    came = [event.window for event in events if isinstance(event, SegmentIn)]
    went = [event.window for event in events if isinstance(event, SegmentOut)]
    assert came[-2:] == [100 << 7, 100 << 7]
    assert went[-1] == went[-2] > 65535
