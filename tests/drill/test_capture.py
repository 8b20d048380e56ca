"""Runs as a capture."""

from __future__ import annotations

import io

from tests.observe.pcapng_reader import packets
from usertcp.drill.capture import Capture
from usertcp.drill.runner import How, run_text
from usertcp.observe.pcapng import PcapngWriter, Source

TEXT = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 2 <mss 1460>
"""


def test_packets_of_both_directions_with_what_the_script_says() -> None:
    outcome = run_text(TEXT, "dir/x.pkt", How())
    assert [crossing.inbound for crossing in outcome.crossings] == [True, False]
    stream = io.BytesIO()
    capture = Capture(stream)
    capture.add(outcome)
    one = len(stream.getvalue())
    data = stream.getvalue()
    for crossing in outcome.crossings:
        assert crossing.packet in data
    assert b"dir/x.pkt: +0 < S 0:0(0) win 65535 <mss 1460>" in data
    assert b"failed: line 5: the packet is not as expected: ack" in data
    capture.add(outcome)
    assert len(stream.getvalue()) > one
    empty = io.BytesIO()
    PcapngWriter(empty, Source("drill"))
    assert data.startswith(empty.getvalue())


def test_packets_with_what_the_stack_makes_of_them() -> None:
    """One that is refused, one that is dropped, and one that is sent again."""
    script = (
        TEXT.replace("ack 2", "ack 1")
        + """\
+.1 < . 1:1(0) ack 5000 win 65535
+0 > R 5000:5000(0)
+.9 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
"""
    )
    outcome = run_text(script, "x.pkt", How(annotate=True))
    assert outcome.reason == ""
    syn, syn_ack, wrong, reset, again, ack = (" | ".join(crossing.comments) for crossing in outcome.crossings)
    assert "LISTEN → SYN-RECEIVED: rcv SYN (RFC 9293 §3.10.7.2)" in syn
    assert syn_ack.startswith("SYN-RECEIVED · cwnd ")
    assert "dropped: " in wrong
    assert "SYN-RECEIVED" in reset
    assert "sent again, attempt 1: retransmission timeout" in again
    assert "→ ESTABLISHED" in ack
    stream = io.BytesIO()
    Capture(stream).add(outcome)
    assert "x.pkt: +0 < S 0:0(0) win 65535 <mss 1460>" in packets(stream.getvalue())[0].comments[0]
    assert [packet.comments[1:] for packet in packets(stream.getvalue())] == [
        crossing.comments for crossing in outcome.crossings
    ]


def test_without_being_asked_nothing_is_told() -> None:
    assert [crossing.comments for crossing in run_text(TEXT, "x.pkt", How()).crossings] == [(), ()]
