"""The peer's state, inferred from what went over the wire, in the situations of RFC 9293 §3.5 and §3.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from usertcp.observe.peer import Inference, Peer
from usertcp.tcp.events import PeerSeen, SegmentIn, SegmentOut, TraceEvent
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

Make = Callable[..., Any]
S, E = State, Event


def _watch(events: list[TraceEvent], role: str = "passive") -> list[str]:
    """Each change as "cause STATE", in order."""
    peer = Peer(role)
    told: list[str] = []
    for event in events:
        if isinstance(event, SegmentOut):
            steps = peer.sent_to(event)
        elif isinstance(event, SegmentIn):
            before, after = peer.received_from(event)
            steps = before + after
        else:
            continue
        told += [f"{step.event or '?'}: {step.next_state}" for step in steps]
    return told


def test_a_client_that_connects_and_closes_first(visit: Any) -> None:
    assert _watch(visit.events) == [
        "active OPEN: SYN-SENT",
        "rcv SYN,ACK: ESTABLISHED",
        "CLOSE: FIN-WAIT-1",
        "rcv ACK of FIN: FIN-WAIT-2",
        "rcv FIN: TIME-WAIT",
    ]


def test_a_client_when_we_close_first(script: Make) -> None:
    made = script()
    made.handshake()
    made.goes(FIN | ACK, 1, 1)
    made.comes(ACK, 1, 2)
    made.comes(FIN | ACK, 1, 2)
    made.goes(ACK, 2, 2)
    assert _watch(made.events)[2:] == [
        "rcv FIN: CLOSE-WAIT",
        "CLOSE: LAST-ACK",
        "rcv ACK of FIN: CLOSED",
    ]


def test_a_fin_that_acknowledges_a_fin_is_two_steps(script: Make) -> None:
    made = script()
    made.handshake()
    made.comes(FIN | ACK, 1, 1)
    made.goes(FIN | ACK, 1, 2)
    assert _watch(made.events)[2:] == [
        "CLOSE: FIN-WAIT-1",
        "rcv ACK of FIN: FIN-WAIT-2",
        "rcv FIN: TIME-WAIT",
    ]


def test_a_server_that_we_connect_to(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    assert _watch(made.events, "active") == []  # nobody may be there
    made.comes(SYN | ACK, 0, 1)
    made.goes(ACK, 1, 1)
    assert _watch(made.events, "active") == [
        "passive OPEN: LISTEN",
        "rcv SYN: SYN-RECEIVED",
        "rcv ACK: ESTABLISHED",
    ]


def test_a_closed_port_that_we_connect_to(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    made.comes(RST | ACK, 0, 1)
    assert _watch(made.events, "active") == ["?: CLOSED"]


def test_simultaneous_open(script: Make) -> None:
    """RFC 9293 figure 7."""
    made = script("active")
    made.goes(SYN, 0)
    made.comes(SYN, 0)
    made.goes(SYN | ACK, 0, 1)
    made.comes(SYN | ACK, 0, 1)
    assert _watch(made.events, "active") == [
        "active OPEN: SYN-SENT",
        "rcv SYN: SYN-RECEIVED",
        "rcv ACK: ESTABLISHED",
    ]


def test_simultaneous_close_corrects_what_was_thought_of_the_peer(script: Make) -> None:
    """RFC 9293 figure 13: the peer's FIN does not acknowledge ours, so it had not seen it."""
    made = script()
    made.handshake()
    made.goes(FIN | ACK, 1, 1)
    made.comes(FIN | ACK, 1, 1)
    made.goes(ACK, 2, 2)
    made.comes(ACK, 2, 2)
    assert _watch(made.events)[2:] == [
        "rcv FIN: CLOSE-WAIT",
        "CLOSE: FIN-WAIT-1",
        "rcv FIN: CLOSING",
        "rcv ACK of FIN: TIME-WAIT",
    ]


def test_a_lost_syn_ack_takes_the_peer_back(script: Make) -> None:
    made = script()
    made.comes(SYN, 0)
    made.goes(SYN | ACK, 0, 1)
    made.comes(SYN, 0)
    made.goes(SYN | ACK, 0, 1)
    assert _watch(made.events) == [
        "active OPEN: SYN-SENT",
        "rcv SYN,ACK: ESTABLISHED",
        "?: SYN-SENT",
        "rcv SYN,ACK: ESTABLISHED",
    ]


def test_a_lost_ack_of_its_fin_takes_the_peer_back(script: Make) -> None:
    made = script()
    made.handshake()
    made.comes(FIN | ACK, 1, 1)
    made.goes(ACK, 1, 2)
    made.comes(FIN | ACK, 1, 1)
    made.goes(ACK, 1, 2)
    assert _watch(made.events)[2:] == [
        "CLOSE: FIN-WAIT-1",
        "rcv ACK of FIN: FIN-WAIT-2",
        "?: FIN-WAIT-1",
        "rcv ACK of FIN: FIN-WAIT-2",
    ]


@pytest.mark.parametrize("ours", [False, True])
def test_a_reset_ends_it(script: Make, ours: bool) -> None:
    made = script()
    made.handshake()
    if ours:
        made.goes(RST, 1)
    else:
        made.comes(RST, 1)
    assert _watch(made.events)[2:] == ["rcv RST: CLOSED" if ours else "ABORT: CLOSED"]


def test_our_reset_to_a_listening_peer_leaves_it_listening(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    made.comes(SYN | ACK, 0, 1)
    made.goes(RST, 1)
    assert _watch(made.events, "active")[-1] == "rcv RST (opened passively): LISTEN"


def test_a_connection_whose_handshake_was_not_seen(script: Make) -> None:
    made = script()
    made.comes(PSH | ACK, 1, 1, length=10)
    made.comes(FIN | ACK, 11, 1)
    assert _watch(made.events) == ["?: ESTABLISHED", "CLOSE: FIN-WAIT-1"]


def test_sequence_numbers_wrap(script: Make) -> None:
    made = script()
    made.our_isn = made.peer_isn = 2**32 - 1
    made.handshake()
    made.request()
    made.close()
    assert _watch(made.events)[-1] == "rcv FIN: TIME-WAIT"


def test_bulk_data_costs_no_memory(script: Make) -> None:
    made = script()
    made.handshake()
    made.bulk(1000)
    peer = Inference("passive")
    for event in made.events:
        if isinstance(event, SegmentOut):
            peer.sent_to(event)
        elif isinstance(event, SegmentIn):
            peer.received_from(event)
    assert peer.state is S.ESTABLISHED
    assert not peer._under_way


# -- What the peer's kernel says -----------------------------------------------------------------------


def _says(state: State, after: str = "segment-out") -> PeerSeen:
    nothing = (None,) * 7
    return PeerSeen(0.0, 1, after, state, *nothing, "", None, None, None)


def _read(*readings: PeerSeen, role: str = "passive") -> list[str]:
    peer = Peer(role)
    told = [f"{step.event or '?'}: {step.next_state}" for seen in readings for step in peer.read(seen)]
    assert peer.exact
    assert peer.state is readings[-1].state
    return told


def test_readings_go_before_what_segments_show(visit: Any) -> None:
    peer = Peer("passive")
    assert [step.next_state for step in peer.read(_says(S.SYN_SENT, "segment-in"))] == [S.SYN_SENT]
    for event in visit.events:
        if isinstance(event, SegmentOut):
            assert peer.sent_to(event) == []
        elif isinstance(event, SegmentIn):
            assert peer.received_from(event) == ([], [])
    assert peer.state is S.SYN_SENT


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (S.ESTABLISHED, S.ESTABLISHED, []),
        (S.ESTABLISHED, S.LAST_ACK, ["rcv FIN: CLOSE-WAIT", "CLOSE: LAST-ACK"]),
        # By way of FIN-WAIT-2: CLOSING would have been seen after our FIN.
        (S.FIN_WAIT_1, S.TIME_WAIT, ["rcv ACK of FIN: FIN-WAIT-2", "rcv FIN: TIME-WAIT"]),
        (S.FIN_WAIT_1, S.CLOSING, ["rcv FIN: CLOSING"]),
        (S.CLOSING, S.TIME_WAIT, ["rcv ACK of FIN: TIME-WAIT"]),
        (S.LAST_ACK, S.CLOSED, ["rcv ACK of FIN: CLOSED"]),
        (S.FIN_WAIT_2, S.CLOSED, ["rcv data nobody will read: CLOSED"]),
        (S.TIME_WAIT, S.ESTABLISHED, ["?: ESTABLISHED"]),
    ],
)
def test_what_happened_between_two_readings(before: State, after: State, how: list[str]) -> None:
    way = _read(_says(S.SYN_SENT), _says(S.ESTABLISHED), _says(before))
    assert _read(_says(S.SYN_SENT), _says(S.ESTABLISHED), _says(before), _says(after)) == way + how


@pytest.mark.parametrize("ours", [False, True])
def test_a_socket_that_is_gone_was_reset_by_who_sent_the_reset(script: Make, ours: bool) -> None:
    peer = Peer("passive")
    peer.read(_says(S.SYN_SENT, "segment-in"))
    peer.read(_says(S.ESTABLISHED))
    if ours:
        peer.sent_to(script().goes(RST, 1))
    (step,) = peer.read(_says(S.CLOSED, "segment-out" if ours else "segment-in"))
    assert step.event is (E.RCV_RST if ours else E.ABORT)


def test_what_its_segments_prove_happened_between_two_readings(script: Make) -> None:
    """It was in ESTABLISHED, since it acknowledged our SYN, but only for less time than it takes to ask."""
    made, peer = script(), Peer("passive")
    peer.read(_says(S.SYN_SENT, "segment-in"))
    made.handshake()
    for event in made.events:
        if isinstance(event, SegmentOut):
            peer.sent_to(event)
        elif isinstance(event, SegmentIn):
            peer.received_from(event)
    told = [f"{step.event}: {step.next_state}" for step in peer.read(_says(S.CLOSED, "segment-in"))]
    assert told == ["rcv SYN,ACK: ESTABLISHED", "ABORT: CLOSED"]


def test_a_listener_of_the_kernels() -> None:
    assert _read(_says(S.LISTEN, "open"), _says(S.SYN_RECEIVED), _says(S.ESTABLISHED), role="active") == [
        "passive OPEN: LISTEN",
        "rcv SYN: SYN-RECEIVED",
        "rcv ACK: ESTABLISHED",
    ]


def test_the_first_reading_of_a_connection_that_was_there_before() -> None:
    assert _read(_says(S.CLOSE_WAIT)) == ["?: CLOSE-WAIT"]


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_whatever_it_says_is_believed(before: State, after: State) -> None:
    _read(_says(before), _says(after))
