"""Runs as a capture."""

from __future__ import annotations

import io

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
