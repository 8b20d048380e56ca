"""The classical questions about a connection, and that the answers are those of its segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from usertcp.observe.summary import Summary
from usertcp.observe.tales import paths
from usertcp.tcp.events import PeerSeen, Timer, TraceEvent
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

Make = Callable[..., Any]
E = Event


def answers(events: list[TraceEvent]) -> dict[str, list[str]]:
    summary = Summary()
    for event in events:
        summary.feed(event)
    (path,) = paths(events)
    return {answer.question: list(answer.lines) for answer in summary.answers(path)}


def test_a_client_that_closes_first(visit: Any) -> None:
    told = answers(visit.events)
    assert told["Opened by"] == ["the peer (active OPEN); usertcp was listening (passive OPEN)"]
    assert told["Handshake"] == [
        "peer: SYN=1 ACK=0, ISN 2954113876; acknowledges nothing yet",
        "usertcp: SYN=1 ACK=1, ISN 1774102233, ack = 2954113876 + 1",
        "peer: SYN=0 ACK=1, ack = 1774102233 + 1",
    ]
    first, segments = told["Closed first"]
    assert first.startswith("the peer, at ")
    assert segments == "in four segments: FIN (the peer), ACK (usertcp), FIN (usertcp), ACK (the peer)"
    assert told["TIME-WAIT"][0] == "the peer waits, it is inferred; how long is its affair"
    assert told["TIME-WAIT"][1].startswith("who closes first, waits: ")


def test_how_long_its_kernel_says_it_waits(visit: Any) -> None:
    nothing = (None,) * 7
    seen = PeerSeen(visit.time, 1, "segment-out", State.TIME_WAIT, *nothing, "time-wait", 59.996, None, None)
    assert answers([*visit.events, seen])["TIME-WAIT"][0] == "the peer waits 60 s: so says its kernel"


def test_we_close_first_and_three_segments_do(script: Make) -> None:
    made = script()
    made.handshake()
    made.moves(E.CLOSE)
    made.goes(FIN | PSH | ACK, 1, 1, length=10)
    made.comes(FIN | ACK, 1, 12)
    made.moves(E.RCV_ACK_OF_FIN)
    made.moves(E.RCV_FIN)
    made.events.append(Timer(made.time, 1, "time-wait", "armed", made.time + 60))
    made.goes(ACK, 12, 2)
    told = answers(made.events)
    first, segments = told["Closed first"]
    assert first.startswith("usertcp, at ")
    assert segments == "in three segments: FIN (usertcp), FIN and ACK in one (the peer), ACK (usertcp)"
    assert told["TIME-WAIT"][0] == "usertcp waits 60 s: 2 MSL (maximum segment lifetimes)"
    assert len(told["TIME-WAIT"]) == 2


def test_both_close_at_once(script: Make) -> None:
    made = script()
    made.handshake()
    made.moves(E.CLOSE)
    made.goes(FIN | ACK, 1, 1)
    made.comes(FIN | ACK, 1, 1)
    made.moves(E.RCV_FIN)
    made.goes(ACK, 2, 2)
    made.comes(ACK, 2, 2)
    made.moves(E.RCV_ACK_OF_FIN)
    told = answers(made.events)
    first, segments = told["Closed first"]
    assert first.startswith("both at once, the FINs crossed, at ")
    assert segments == "in four segments: FIN (usertcp), FIN (the peer), ACK (usertcp), ACK (the peer)"
    assert told["TIME-WAIT"][-1].startswith("who closes first, waits, and both did: ")


def test_a_fin_that_comes_again_is_no_fifth_segment(script: Make) -> None:
    made = script()
    made.handshake()
    made.comes(FIN | ACK, 1, 1)
    made.moves(E.RCV_FIN)
    made.goes(ACK, 1, 2)
    made.comes(FIN | ACK, 1, 1)
    made.goes(ACK, 1, 2)
    _, segments = answers(made.events)["Closed first"]
    assert segments == "in two segments: FIN (the peer), ACK (usertcp)"


def test_a_reset_closes_nothing(script: Make) -> None:
    made = script()
    made.handshake()
    made.resets()
    (ended,) = answers(made.events)["Closed first"]
    assert ended.startswith("nobody: a RST, sent by the peer, ended it at ")
    assert "TIME-WAIT" not in answers(made.events)


def test_a_reset_in_the_midst_of_a_close(script: Make) -> None:
    made = script()
    made.handshake()
    made.moves(E.CLOSE)
    made.goes(FIN | ACK, 1, 1)
    made.comes(RST, 1)
    made.moves(E.RCV_RST)
    first, ended = answers(made.events)["Closed first"]
    assert first.startswith("usertcp, at ")
    assert ended.startswith("and then a RST, sent by the peer, ended it at ")


def test_nobody_listens(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    made.comes(RST | ACK, 0, 1)
    made.moves(E.RCV_RST)
    told = answers(made.events)
    assert told["Opened by"] == ["usertcp (active OPEN)"]
    assert told["Handshake"] == ["usertcp: SYN=1 ACK=0, ISN 1774102233; acknowledges nothing yet"]
    assert told["Closed first"][0].startswith("nobody: a RST, sent by the peer")


def test_we_connect_to_a_server(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    made.comes(SYN | ACK, 0, 1)
    made.goes(ACK, 1, 1)
    assert answers(made.events)["Opened by"] == ["usertcp (active OPEN); the peer was listening (passive OPEN)"]


def test_both_open_at_once(script: Make) -> None:
    """RFC 9293 figure 7: four segments."""
    made = script("active")
    made.goes(SYN, 0)
    made.comes(SYN, 0)
    made.goes(SYN | ACK, 0, 1)
    made.comes(SYN | ACK, 0, 1)
    assert answers(made.events)["Opened by"] == ["both at once (active OPEN), the SYNs crossed"]
    assert answers(made.events)["Handshake"] == [
        "usertcp: SYN=1 ACK=0, ISN 1774102233; acknowledges nothing yet",
        "peer: SYN=1 ACK=0, ISN 2954113876; acknowledges nothing yet",
        "usertcp: SYN=1 ACK=1, ISN 1774102233, ack = 2954113876 + 1",
        "peer: SYN=1 ACK=1, ISN 2954113876, ack = 1774102233 + 1",
    ]


def test_what_was_not_seen_is_not_answered(script: Make) -> None:
    made = script()
    made.comes(PSH | ACK, 1, 1, length=10)
    made.goes(ACK, 1, 11)
    assert set(answers(made.events)) == {"Opened by"}


def test_a_reset_that_is_dropped_ends_nothing(script: Make) -> None:
    made = script()
    made.handshake()
    made.comes(RST, 100)
    made.drops("reset-outside-window")
    assert "Closed first" not in answers(made.events)
    made.time += 2
    made.resets()
    assert answers(made.events)["Closed first"][0].endswith(f"at {(made.time - 1000.0001) * 1000:.3f} ms")


def test_we_abort(script: Make) -> None:
    made = script()
    made.handshake()
    made.moves(E.ABORT)
    made.goes(RST | ACK, 1, 1)
    assert answers(made.events)["Closed first"][0].startswith("nobody: a RST, sent by usertcp, ended it at ")


def test_nobody_answers(script: Make) -> None:
    made = script()
    made.handshake()
    made.moves(E.USER_TIMEOUT)
    assert answers(made.events)["Closed first"][0].startswith("nobody: the user timeout ended it at ")
