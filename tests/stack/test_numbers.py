"""Numbers that an outsider must not guess."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack import numbers

SECRET = b"0123456789abcdef"


def test_the_isn_clock() -> None:
    """RFC 9293 §3.4.1 (MUST-8): it ticks every 4 microseconds, and wraps after 4.77 hours."""
    start = numbers.initial_sequence_number(SECRET, b"sockets", 100.0)
    later = numbers.initial_sequence_number(SECRET, b"sockets", 100.001)
    assert (later - start) & 0xFFFFFFFF == 250
    assert numbers.initial_sequence_number(SECRET, b"sockets", 100.0 + (1 << 32) / 250_000) == start


@given(st.binary(max_size=40), st.binary(max_size=40), st.floats(0, 1e9))
def test_other_sockets_other_numbers(one: bytes, other: bytes, now: float) -> None:
    """RFC 9293 §3.4.1 (MUST-9): F is not to be computed from the outside."""
    isn = numbers.initial_sequence_number(SECRET, one, now)
    assert 0 <= isn < 1 << 32
    assert (isn == numbers.initial_sequence_number(SECRET, other, now)) == (one == other)
    assert isn != numbers.initial_sequence_number(SECRET + b"?", one, now)


def test_purposes_do_not_share_numbers() -> None:
    """Whoever sees our timestamps learns nothing about our sequence numbers."""
    hashes = {numbers.keyed_hash(SECRET, purpose, b"x") for purpose in (b"isn", b"timestamp", b"port", b"fragment")}
    assert len(hashes) == 4


@given(st.binary(max_size=40), st.integers(0, 1 << 40))
def test_the_candidates_are_all_dynamic_ports_once(sockets: bytes, count: int) -> None:
    """RFC 6056 §3.3.3."""
    candidates = numbers.port_candidates(SECRET, sockets, count)
    assert len(candidates) == numbers.PORTS
    ports = {numbers.FIRST_PORT + candidate % numbers.PORTS for candidate in candidates}
    assert ports == set(range(32768, 65536))


def test_successive_connections_to_one_peer_take_successive_ports() -> None:
    """RFC 6056 §3.3.3: what was used last comes round last."""
    first, second = (numbers.port_candidates(SECRET, b"peer", count)[0] for count in (1, 2))
    assert (second - first) % numbers.PORTS == 1
    assert numbers.port_candidates(SECRET, b"other peer", 1)[0] != first


def test_flow_labels() -> None:
    """RFC 6437 §3, RFC 8504 §5.1: from a uniform distribution; 0 would be none."""
    ends = (bytes(15) + b"\1", bytes(15) + b"\2")
    labels = {numbers.flow_label(SECRET, *ends, 80, port) for port in range(1000)}
    assert len(labels) >= 990
    assert 0 < min(labels) < 10_000
    assert 0xFFFFF - 10_000 < max(labels) <= 0xFFFFF
    assert numbers.flow_label(SECRET, *ends, 80, 1) != numbers.flow_label(SECRET, *ends[::-1], 80, 1)
    assert numbers.flow_label(SECRET, bytes(4), bytes(4), 80, 1) == 0
