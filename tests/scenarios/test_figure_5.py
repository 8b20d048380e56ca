"""RFC 9293 §3.3.2, figure 5: every edge is walked by an exchange of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.driver import Peer, Us, established, in_state, meet
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

S, E = State, Event
Walk = Callable[[], Us]
Edge = tuple[State, Event, State]
WALKS: dict[Edge, Walk] = {}

#: Figure 5 as it is printed, from the top.
FIGURE_5 = {
    (S.CLOSED, E.PASSIVE_OPEN, S.LISTEN),
    (S.CLOSED, E.ACTIVE_OPEN, S.SYN_SENT),
    (S.LISTEN, E.CLOSE, S.CLOSED),
    (S.SYN_SENT, E.CLOSE, S.CLOSED),
    (S.SYN_RECEIVED, E.RCV_RST_PASSIVE, S.LISTEN),
    (S.LISTEN, E.RCV_SYN, S.SYN_RECEIVED),
    (S.LISTEN, E.SEND, S.SYN_SENT),
    (S.SYN_SENT, E.RCV_SYN, S.SYN_RECEIVED),
    (S.SYN_RECEIVED, E.RCV_ACK, S.ESTABLISHED),
    (S.SYN_SENT, E.RCV_SYN_ACK, S.ESTABLISHED),
    (S.SYN_RECEIVED, E.CLOSE, S.FIN_WAIT_1),
    (S.ESTABLISHED, E.CLOSE, S.FIN_WAIT_1),
    (S.ESTABLISHED, E.RCV_FIN, S.CLOSE_WAIT),
    (S.FIN_WAIT_1, E.RCV_FIN, S.CLOSING),
    (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN, S.FIN_WAIT_2),
    (S.CLOSE_WAIT, E.CLOSE, S.LAST_ACK),
    (S.CLOSING, E.RCV_ACK_OF_FIN, S.TIME_WAIT),
    (S.LAST_ACK, E.RCV_ACK_OF_FIN, S.CLOSED),
    (S.FIN_WAIT_2, E.RCV_FIN, S.TIME_WAIT),
    (S.TIME_WAIT, E.TIME_WAIT_TIMEOUT, S.CLOSED),
}


def walks(*edges: Edge) -> Callable[[Walk], Walk]:
    def register(walk: Walk) -> Walk:
        for edge in edges:
            assert edge not in WALKS
            WALKS[edge] = walk
        return walk

    return register


@pytest.mark.parametrize("edge", sorted(FIGURE_5, key=str), ids=lambda e: f"{e[0]}--{e[1]}-->{e[2]}")
def test_edge(edge: Edge) -> None:
    us = WALKS[edge]()
    assert edge in us.edges


def test_the_walks_visit_every_state_and_leave_the_figure_nowhere() -> None:
    walked = set().union(*(walk().edges for walk in set(WALKS.values())))
    assert walked == FIGURE_5
    assert {edge[0] for edge in walked} == set(S)


@walks((S.CLOSED, E.PASSIVE_OPEN, S.LISTEN), (S.LISTEN, E.CLOSE, S.CLOSED))
def _a_listener_is_closed() -> Us:
    us, peer = meet()
    us.opens_passively()
    assert us.state is S.LISTEN
    us.closes()
    peer.hears_nothing()
    assert us.state is S.CLOSED
    assert us.gone
    return us


@walks((S.CLOSED, E.ACTIVE_OPEN, S.SYN_SENT), (S.SYN_SENT, E.CLOSE, S.CLOSED))
def _the_user_gives_up() -> Us:
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)
    assert us.state is S.SYN_SENT
    us.closes()
    peer.hears_nothing(during=300)
    assert us.state is S.CLOSED
    assert us.gone
    return us


@walks((S.LISTEN, E.SEND, S.SYN_SENT), (S.SYN_SENT, E.RCV_SYN_ACK, S.ESTABLISHED))
def _a_listening_socket_sends() -> Us:
    us, peer = meet()
    us.opens_passively()
    assert us.sends(b"first") == 5
    peer.receives(SYN, seq=0)
    assert us.state is S.SYN_SENT
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.state is S.ESTABLISHED
    peer.receives(ACK, seq=1, ack=1, data=b"first")
    return us


@walks(
    (S.LISTEN, E.RCV_SYN, S.SYN_RECEIVED),
    (S.SYN_RECEIVED, E.RCV_ACK, S.ESTABLISHED),
    (S.ESTABLISHED, E.RCV_FIN, S.CLOSE_WAIT),
    (S.CLOSE_WAIT, E.CLOSE, S.LAST_ACK),
    (S.LAST_ACK, E.RCV_ACK_OF_FIN, S.CLOSED),
)
def _the_peer_opens_and_closes() -> Us:
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.state is S.SYN_RECEIVED
    peer.sends(ACK, seq=1, ack=1)
    peer.hears_nothing()
    assert us.state is S.ESTABLISHED
    peer.sends(FIN | ACK, seq=1, ack=1)
    peer.receives(ACK, seq=1, ack=2)
    assert us.state is S.CLOSE_WAIT
    us.closes()
    peer.receives(FIN | ACK, seq=1, ack=2)
    assert us.state is S.LAST_ACK
    peer.sends(ACK, seq=2, ack=2)
    peer.hears_nothing(during=300)
    assert us.state is S.CLOSED
    assert us.gone
    return us


@walks((S.SYN_RECEIVED, E.RCV_RST_PASSIVE, S.LISTEN))
def _the_peer_takes_its_syn_back() -> Us:
    us, peer = meet()
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(RST, seq=1)
    assert us.state is S.LISTEN
    assert us.gone
    assert listener.open
    return us


@walks((S.SYN_SENT, E.RCV_SYN, S.SYN_RECEIVED))
def _both_open() -> Us:
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)
    peer.sends(SYN, seq=0)
    assert us.state is S.SYN_RECEIVED
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.state is S.ESTABLISHED
    return us


@walks((S.SYN_RECEIVED, E.CLOSE, S.FIN_WAIT_1))
def _closed_before_it_was_established() -> Us:
    us, peer = in_state(S.SYN_RECEIVED)
    us.closes()
    assert us.state is S.FIN_WAIT_1
    peer.receives(FIN | ACK, seq=1, ack=1)
    return us


@walks(
    (S.ESTABLISHED, E.CLOSE, S.FIN_WAIT_1),
    (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN, S.FIN_WAIT_2),
    (S.FIN_WAIT_2, E.RCV_FIN, S.TIME_WAIT),
    (S.TIME_WAIT, E.TIME_WAIT_TIMEOUT, S.CLOSED),
)
def _we_close_first() -> Us:
    us, peer = established()
    us.closes()
    assert us.state is S.FIN_WAIT_1
    peer.receives(FIN | ACK, seq=1, ack=1)
    peer.sends(ACK, seq=1, ack=2)
    peer.hears_nothing()
    assert us.state is S.FIN_WAIT_2
    peer.sends(FIN | ACK, seq=1, ack=2)
    assert us.state is S.TIME_WAIT
    peer.receives(ACK, seq=2, ack=2)
    peer.hears_nothing(during=59)
    assert us.state is S.TIME_WAIT
    peer.hears_nothing(during=2)
    assert us.state is S.CLOSED
    assert us.gone
    return us


@walks((S.FIN_WAIT_1, E.RCV_FIN, S.CLOSING), (S.CLOSING, E.RCV_ACK_OF_FIN, S.TIME_WAIT))
def _both_close() -> Us:
    us, peer = established()
    us.closes()
    peer.receives(FIN | ACK, seq=1, ack=1)
    peer.sends(FIN | ACK, seq=1, ack=1)
    assert us.state is S.CLOSING
    peer.receives(ACK, seq=2, ack=2)
    peer.sends(ACK, seq=2, ack=2)
    assert us.state is S.TIME_WAIT
    return us


def test_note_2_fin_wait_1_goes_to_time_wait_at_once() -> None:
    """"The figure omits a transition from FIN-WAIT-1 to TIME-WAIT if a FIN is received and the local FIN is
    also acknowledged": it passes through FIN-WAIT-2 in one segment."""
    us, peer = established()
    us.closes()
    peer.receives(FIN | ACK, seq=1, ack=1)
    peer.sends(FIN | ACK, seq=1, ack=2)
    assert us.state is S.TIME_WAIT
    assert us.path[-2:] == [
        (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN, S.FIN_WAIT_2),
        (S.FIN_WAIT_2, E.RCV_FIN, S.TIME_WAIT),
    ]
    peer.receives(ACK, seq=2, ack=2)


def _reaches(state: State) -> tuple[Us, Peer]:
    us, peer = in_state(state)
    peer.hears_nothing()
    return us, peer


@pytest.mark.parametrize("state", [s for s in S if s not in (S.CLOSED, S.LISTEN)], ids=str)
def test_note_3_a_reset_ends_every_state(state: State) -> None:
    us, peer = _reaches(state)
    if state is S.SYN_SENT:
        peer.sends(RST | ACK, seq=0, ack=1)
    else:
        peer.sends(RST)
    assert us.state is (S.LISTEN if state is S.SYN_RECEIVED else S.CLOSED)
    assert us.gone
    peer.hears_nothing(during=300)
