"""What comments say."""

from __future__ import annotations

import pytest

from usertcp.observe.packet_comments import of_event, of_impairment, of_numbers
from usertcp.observe.packet_log import Numbers
from usertcp.tcp.events import (
    TYPES,
    Acknowledged,
    ChallengeAck,
    Congestion,
    Cwnd,
    Deleted,
    Dropped,
    Dsack,
    Handshake,
    HeldBack,
    IcmpIn,
    Opened,
    OutOfOrder,
    PathMtu,
    Probe,
    Retransmitted,
    Timer,
    TraceEvent,
    Transitioned,
    WindowChanged,
)
from usertcp.tcp.states import Event, State


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Opened(1.0, 3, bytes(4), 80, bytes(4), 5000, "active"), "connection 3 begins: we open it"),
        (
            Transitioned(1.0, 1, State.TIME_WAIT, Event.RCV_FIN, State.TIME_WAIT, "3.10.7.4", "again"),
            "stays in TIME-WAIT: rcv FIN (RFC 9293 §3.10.7.4): again",
        ),
        (
            Transitioned(1.0, 1, State.ESTABLISHED, Event.RCV_RST, State.CLOSED, "RFC 5961 §3", "reset"),
            "ESTABLISHED → CLOSED: rcv RST (RFC 5961 §3): reset",
        ),
        (
            Retransmitted(1.0, 1, 100, 1448, "fast retransmit", 2),
            "sent again, attempt 2: fast retransmit",
        ),
        (Probe(1.0, 1, "zero-window", 4, "3.8.6.1"), "zero-window probe, attempt 4 (RFC 9293 §3.8.6.1)"),
        (Dropped(1.0, 0, "of a later version", "", 0, 0), "dropped: of a later version"),
        (
            OutOfOrder(1.0, 1, 100, 1448, 2896),
            "out of order: 1,448 bytes kept until the gap before is filled (2,896 bytes kept in all)",
        ),
        (
            ChallengeAck(1.0, 1, "a SYN", False),
            "no challenge ACK, because of its rate limit (RFC 5961): a SYN",
        ),
        (
            Acknowledged(1.0, 1, "duplicate", 100, 0, 1448, 0, "RFC 5681 §2", "it repeats the last one"),
            "acknowledgment duplicate (RFC 5681 §2): it repeats the last one (1,448 bytes beyond a gap)",
        ),
        (Deleted(1.0, 1, ""), "connection 1 ends: in good order"),
        (
            Congestion(1.0, 1, "fast retransmit", 7240, 7240, "recovery", 1448),
            "fast retransmit: cwnd 7,240, ssthresh 7,240, state recovery",
        ),
        (
            WindowChanged(1.0, 1, "theirs", "closed", 0, 100, "its buffer is full", "3.8.6.1"),
            "the peer's window closed: 0 bytes (RFC 9293 §3.8.6.1): its buffer is full",
        ),
        (Timer(1.0, 1, "retransmission", "fired", None), "the retransmission timer fired"),
        (Timer(1.0, 1, "retransmission", "armed", 2.0), ""),
        (
            HeldBack(1.0, 1, "window", 5000, 0, "3.8.6"),
            "no more follows now: 5,000 bytes wait, held back by window (room for 0) (RFC 9293 §3.8.6)",
        ),
        (HeldBack(1.0, 1, "nothing-to-send", 0, 0, ""), ""),
        (Dsack(1.0, 1, "theirs", 0xFFFFFFF0, 16), "says that 32 bytes came twice (RFC 2883)"),
        (IcmpIn(1.0, 1, "host unreachable", "remembered"), "ICMP host unreachable: remembered"),
        (PathMtu(1.0, 1, "ICMP says so", 1400, 1348), "path MTU 1,400, segments of 1,348: ICMP says so"),
        (Handshake(1.0, 1, "a cookie is given", "RFC 7413 §4.1.2"), "a cookie is given (RFC 7413 §4.1.2)"),
        (Cwnd(1.0, 1, 14480, 1 << 40, 0), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TYPES) else "",
)
def test_an_event_in_a_line(event: TraceEvent, text: str) -> None:
    assert of_event(event) == text


def test_a_dropped_segment_says_what_its_reason_means() -> None:
    text = of_event(Dropped(1.0, 1, "paws", "RFC 7323 §5.3", 100, 10))
    assert text == "dropped: paws (RFC 7323 §5.3): segments with an old timestamp (RFC 7323 §5)"


def test_a_line_stays_a_line() -> None:
    assert of_event(Deleted(1.0, 1, "a\nb\x1b[31m")) == "connection 1 ends: a\\x0ab\\x1b[31m"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (
            Numbers(1, State.SYN_SENT, 14480, 1 << 40, 1, 1.0),
            "SYN-SENT · cwnd 14,480 · ssthresh not set · in flight 1 · rto 1000 ms",
        ),
        (
            Numbers(1, State.ESTABLISHED, 2896, 7240, 0, 12.34),
            "ESTABLISHED · cwnd 2,896 · ssthresh 7,240 · in flight 0 · rto 12.3 s",
        ),
    ],
)
def test_numbers(numbers: Numbers, text: str) -> None:
    assert of_numbers(numbers) == text


@pytest.mark.parametrize(
    ("what", "copies", "text"),
    [
        (("lost",), 0, "lost by --impair"),
        (("corrupted", "queue-full"), 0, "lost in a full queue by --impair"),
        (("dropped",), 0, "lost (it was to be dropped by name) by --impair"),
        (("reordered", "duplicated"), 2, "held back until later ones have overtaken it and sent twice by --impair"),
    ],
)
def test_impairments(what: tuple[str, ...], copies: int, text: str) -> None:
    assert of_impairment(what, copies) == text
