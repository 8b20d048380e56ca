"""What leaves a host with offload is, on the wire, what a host without offload would have sent."""

from __future__ import annotations

import pytest

from usertcp.sim import wire_form
from usertcp.wire import ipv4, ipv6, tcp, virtio
from usertcp.wire.frame import FrameTemplate
from usertcp.wire.tcp import ACK, FIN, NO_OPTIONS, PSH

PAIRS = [(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])), (bytes(15) + b"\1", bytes(15) + b"\2")]


def _built(offload: bool, pair: tuple[bytes, bytes], payload: bytes, flags: int = ACK) -> bytes:
    template = FrameTemplate(*pair, 1, 2, offload=offload)
    return b"".join(template.build(100, 200, flags, 300, 0, 7, 8, NO_OPTIONS, payload, 1000))


@pytest.mark.parametrize("pair", PAIRS, ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("payload", [b"", b"x", b"odd", bytes(1000)])
def test_a_partial_checksum_is_completed(pair: tuple[bytes, bytes], payload: bytes) -> None:
    assert wire_form.from_offload(_built(True, pair, payload)) == [_built(False, pair, payload)]


@pytest.mark.parametrize("pair", PAIRS, ids=["ipv4", "ipv6"])
def test_a_super_segment_is_cut(pair: tuple[bytes, bytes]) -> None:
    payload = bytes(range(250)) * 10
    pieces = wire_form.from_offload(_built(True, pair, payload, ACK | PSH | FIN))
    segments = []
    for piece in pieces:
        start = 20 if len(pair[0]) == 4 else 40
        header = ipv4.parse(piece) if start == 20 else ipv6.parse(piece)
        assert isinstance(header, ipv4.Header | ipv6.Header)
        assert tcp.checksum_ok(piece[start:], *pair)
        segment = tcp.parse(piece[start:])
        assert isinstance(segment, tcp.Segment)
        segments.append(segment)
    assert [(segment.seq, len(segment.payload)) for segment in segments] == [(100, 1000), (1100, 1000), (2100, 500)]
    assert [segment.flags for segment in segments] == [ACK, ACK, ACK | PSH | FIN]
    assert b"".join(bytes(segment.payload) for segment in segments) == payload


def test_a_packet_without_partial_checksum_is_left_alone() -> None:
    packet = _built(False, PAIRS[0], b"x")
    assert wire_form.from_offload(virtio.emit(virtio.NetHeader()) + packet) == [packet]


def test_to_offload_and_back() -> None:
    packet = _built(False, PAIRS[0], b"x")
    assert wire_form.from_offload(wire_form.to_offload(packet)) == [packet]


def test_too_short_for_its_header() -> None:
    with pytest.raises(ValueError, match="virtio"):
        wire_form.from_offload(b"short")
