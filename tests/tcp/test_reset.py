"""Which RST answers what: RFC 9293 §3.5.2, §3.10.7.1."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.reset import Reset, reset_for, sequence_length
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

NUMBERS = st.integers(0, (1 << 32) - 1)


def segment(flags: int, seq: int = 0, ack: int = 0, length: int = 0) -> Segment:
    return Segment(1, 2, seq, ack, flags, 0, payload=bytes(length))


@given(st.integers(0, 0x1FF), NUMBERS, NUMBERS, st.integers(0, 2000))
def test_the_rules(flags: int, seq: int, ack: int, length: int) -> None:
    arrived = segment(flags, seq, ack, length)
    answer = reset_for(arrived)
    if flags & RST:
        assert answer is None
    elif flags & ACK:
        assert answer == Reset(ack, 0, RST)
    else:
        assert answer == Reset(0, (seq + sequence_length(arrived)) % (1 << 32), RST | ACK)


def test_syn_and_fin_have_a_number_each() -> None:
    """RFC 9293 §3.4: SEG.LEN counts SYN and FIN."""
    assert sequence_length(segment(ACK)) == 0
    assert sequence_length(segment(SYN)) == 1
    assert sequence_length(segment(FIN | ACK, length=5)) == 6
    assert sequence_length(segment(SYN | FIN, length=5)) == 7
