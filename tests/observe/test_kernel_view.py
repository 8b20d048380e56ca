"""When the numbers of the peer's kernel are told."""

from __future__ import annotations

from typing import Any

from usertcp.observe.kernel_view import KernelView
from usertcp.tcp.events import PeerSeen
from usertcp.tcp.states import State


def _reading(state: State = State.ESTABLISHED, **more: Any) -> PeerSeen:
    fields: dict[str, Any] = dict.fromkeys(PeerSeen._fields)
    fields |= {"time": 1.0, "conn": 1, "after": "segment-out", "state": state, "timer": ""}
    fields |= {"cwnd": 14_480, "srtt": 0.002, "rto": 0.204} | more
    return PeerSeen(**fields)


def _told(*readings: PeerSeen, verbose: bool = False) -> list[str]:
    view = KernelView()
    return [text for reading in readings if (text := view.telling(reading, verbose=verbose))]


def test_the_first_one_of_an_open_connection_is_told() -> None:
    syn_sent = _reading(State.SYN_SENT, srtt=None, rto=1.0)
    assert _told(syn_sent, _reading(), _reading()) == ["kernel: cwnd 14,480, rtt 2.00 ms, rto 204 ms"]


def test_what_went_wrong_is_told() -> None:
    told = _told(
        _reading(),
        _reading(unacked=3),
        _reading(cwnd=7_240, ssthresh=7_240, unacked=3),
        _reading(cwnd=8_000, retransmitted=1),
        _reading(cwnd=9_000, retransmitted=1),
        _reading(cwnd=9_000, retransmitted=1, rto=0.408),
    )
    assert [text.removeprefix("kernel: ").split(",")[0] for text in told] == ["cwnd 14", "cwnd 7", "cwnd 8", "cwnd 9"]
    assert "3 segments unacknowledged" in told[1]
    assert "1 sent again" in told[2]
    assert "rto 408 ms" in told[3]


def test_how_it_stood_is_told_where_it_closes_whatever_was_told_before() -> None:
    trouble = [_reading(retransmitted=number) for number in range(1, 30)]
    told = _told(_reading(), *trouble, _reading(State.FIN_WAIT_1, retransmitted=29))
    assert len(told) < 12
    assert told[-1].endswith("29 sent again")


def test_verbose_tells_every_change_and_nothing_twice() -> None:
    told = _told(_reading(), _reading(unacked=1), _reading(unacked=1), _reading(unacked=2), verbose=True)
    assert len(told) == 3


def test_a_state_without_numbers_says_nothing() -> None:
    nothing = dict.fromkeys(("cwnd", "srtt", "rto"))
    assert _told(_reading(State.TIME_WAIT, **nothing), _reading(State.CLOSED, **nothing)) == []
