"""The transition table against RFC 9293: total, and figure 5 exactly."""

from __future__ import annotations

from itertools import product

import pytest

from usertcp.tcp.states import (
    RECEIVE_CLOSED,
    RECEIVING,
    SEND_CLOSED,
    SENDING,
    SYNCHRONIZED,
    TABLE,
    UNREACHABLE,
    Event,
    ImpossibleTransition,
    State,
    Transition,
    step,
)

S, E = State, Event
PAIRS = list(product(State, Event))
CHANGES = {pair: t.next_state for pair, t in TABLE.items() if t.next_state is not pair[0]}

#: Figure 5 as it is printed in RFC 9293 §3.3.2, arrow by arrow, from the top.
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

#: The events that figure 5 "addresses neither": errors, timeouts, and calls that end a connection at once.
ERRORS = {
    E.ABORT,
    E.RCV_RST,
    E.RCV_SYN_PASSIVE,
    E.DATA_AFTER_CLOSE,
    E.RCV_NEW_SYN,
    E.ICMP_HARD_ERROR,
    E.USER_TIMEOUT,
    E.FIN_WAIT_2_TIMEOUT, E.KEEPALIVE_TIMEOUT,
}


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda value: value.name)
def test_every_state_and_event_has_an_entry_or_a_proof(state: State, event: Event) -> None:
    assert ((state, event) in TABLE) != ((state, event) in UNREACHABLE)
    if (state, event) in UNREACHABLE:
        with pytest.raises(ImpossibleTransition, match="cannot happen"):
            step(state, event)
    else:
        assert step(state, event) is TABLE[state, event]


def test_there_are_exactly_the_eleven_states_of_the_rfc() -> None:
    assert {state.value for state in State} == {
        "CLOSED",
        "LISTEN",
        "SYN-SENT",
        "SYN-RECEIVED",
        "ESTABLISHED",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "CLOSE-WAIT",
        "CLOSING",
        "LAST-ACK",
        "TIME-WAIT",
    }


def test_every_edge_of_figure_5_is_there() -> None:
    for state, event, next_state in FIGURE_5:
        assert TABLE[state, event].next_state is next_state, (state, event)


def test_beyond_figure_5_only_errors_and_timeouts_change_the_state() -> None:
    in_figure = {(state, event) for state, event, _ in FIGURE_5}
    extra = {pair: target for pair, target in CHANGES.items() if pair not in in_figure}
    # §3.10.1: an active OPEN on a listening connection; the figure has only the SEND that does the same.
    assert extra.pop((S.LISTEN, E.ACTIVE_OPEN)) is S.SYN_SENT
    # §3.10.7.4, fourth: like the figure's RST, it returns a passively opened connection to the listener.
    assert extra.pop((S.SYN_RECEIVED, E.RCV_SYN_PASSIVE)) is S.LISTEN
    assert {event for _, event in extra} <= ERRORS
    assert set(extra.values()) == {S.CLOSED}


@pytest.mark.parametrize("state", [state for state in State if state is not S.CLOSED], ids=str)
def test_abort_ends_every_state(state: State) -> None:
    assert step(state, E.ABORT).next_state is S.CLOSED


@pytest.mark.parametrize("state", [s for s in State if s not in (S.CLOSED, S.LISTEN)], ids=str)
def test_a_reset_ends_every_state_but_that_of_a_listener(state: State) -> None:
    """RFC 9293 §3.3.2 note 3."""
    assert step(state, E.RCV_RST).next_state is S.CLOSED


@pytest.mark.parametrize("state", State, ids=str)
def test_status_and_receive_change_nothing(state: State) -> None:
    assert step(state, E.STATUS).next_state is state
    assert step(state, E.RECEIVE).next_state is state


@pytest.mark.parametrize("state", sorted(SYNCHRONIZED, key=str), ids=str)
def test_no_syn_and_no_icmp_message_ends_a_synchronized_connection(state: State) -> None:
    assert step(state, E.RCV_SYN).next_state is state
    assert step(state, E.ICMP_HARD_ERROR).next_state is state


#: The sections of RFC 9293 that say what an event does to a state.
SECTIONS = {"3.6", "3.6.1", "3.8.4", "3.9.2.2", "3.10.8"}
SECTIONS |= {f"3.10.{call}" for call in range(1, 7)} | {f"3.10.7.{case}" for case in range(1, 5)}


def _closure(start: State, events: set[Event]) -> set[State]:
    reached, todo = {start}, [start]
    while todo:
        state = todo.pop()
        for event in events:
            following = CHANGES.get((state, event))
            if following is not None and following not in reached:
                reached.add(following)
                todo.append(following)
    return reached


def test_every_state_is_reached_without_any_error() -> None:
    assert _closure(S.CLOSED, set(Event) - ERRORS) == set(State)


@pytest.mark.parametrize("state", State, ids=str)
def test_closed_is_reached_from_every_state_without_any_error(state: State) -> None:
    """Where both sides close and the network works, no connection hangs for ever."""
    assert S.CLOSED in _closure(state, set(Event) - ERRORS)


def test_a_synchronized_connection_never_becomes_unsynchronized_except_by_ending() -> None:
    for (state, _), target in CHANGES.items():
        if state in SYNCHRONIZED:
            assert target in SYNCHRONIZED | {S.CLOSED}


def test_a_side_that_is_closed_stays_closed() -> None:
    for closed in (SEND_CLOSED, RECEIVE_CLOSED):
        for (state, _), target in CHANGES.items():
            if state in closed:
                assert target in closed | {S.CLOSED}


def test_our_side_closes_by_close_alone_and_the_peers_by_its_fin_alone() -> None:
    for (state, event), target in CHANGES.items():
        assert (target in SEND_CLOSED and state not in SEND_CLOSED) == (
            event is E.CLOSE and state in (S.SYN_RECEIVED, S.ESTABLISHED, S.CLOSE_WAIT)
        )
        if target in RECEIVE_CLOSED and state not in RECEIVE_CLOSED:
            assert event is E.RCV_FIN


def test_the_sets_of_states_follow_from_what_they_mean() -> None:
    assert set(State) - {S.CLOSED, S.LISTEN, S.SYN_SENT, S.SYN_RECEIVED} == SYNCHRONIZED
    assert RECEIVING == SYNCHRONIZED - RECEIVE_CLOSED
    # A FIN that is not acknowledged yet may have data before it that is not acknowledged either.
    assert SYNCHRONIZED - {S.FIN_WAIT_2, S.TIME_WAIT} == SENDING
    assert {state for state in SEND_CLOSED if (state, E.RCV_ACK_OF_FIN) in TABLE} == SEND_CLOSED & SENDING


@pytest.mark.parametrize("transition", TABLE.values())
def test_each_entry_says_where_it_comes_from_and_why(transition: Transition) -> None:
    assert transition.section in SECTIONS
    assert transition.reason == transition.reason.strip()
    assert 10 <= len(transition.reason) <= 100
    assert not transition.reason.endswith(".")


def test_each_proof_is_a_sentence_somebody_can_check() -> None:
    assert all(len(proof) >= 20 for proof in UNREACHABLE.values())
