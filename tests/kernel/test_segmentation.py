"""Our segmentation in software gives the packets that the kernel's own gives.

A super-segment goes in by one TUN; the kernel forwards it to another, which takes no super-segments, and so
has to cut it.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usertcp.runtime.interface import configure, parse_address
from usertcp.runtime.tun import Tun
from usertcp.stack.segmentation import segment_packet
from usertcp.wire import ipv4, ipv6, tcp, virtio

pytestmark = pytest.mark.rootless

FLAGS = [tcp.ACK, tcp.ACK | tcp.PSH, tcp.ACK | tcp.FIN | tcp.PSH, tcp.ACK | tcp.ECE, tcp.ACK | tcp.CWR]


def super_segment(family: int, hops: int, segment: tcp.Segment, mss: int, identification: int) -> bytes:
    src = ip_address("192.0.2.2" if family == 4 else "fd00:1::2").packed
    dst = ip_address("198.51.100.2" if family == 4 else "fd00:2::2").packed
    head = tcp.emit(segment, src, dst, partial_checksum=True)
    length = len(head) + len(segment.payload)
    if family == 4:
        header = ipv4.Header(src, dst, tcp.PROTOCOL, hops, identification=identification, dont_fragment=True)
        ip, gso_type = ipv4.emit(header, length), virtio.GSO_TCPV4
    else:
        ip, gso_type = ipv6.emit(ipv6.Header(src, dst, tcp.PROTOCOL, hops, flow_label=7), length), virtio.GSO_TCPV6
    if segment.flags & tcp.CWR:
        gso_type |= virtio.GSO_ECN
    net = virtio.NetHeader(
        virtio.NEEDS_CSUM, gso_type, len(ip) + len(head), mss, len(ip), tcp.CHECKSUM_OFFSET
    )
    return virtio.emit(net) + ip + head + bytes(segment.payload)


def forwarder() -> tuple[Tun, Callable[[int], list[bytes]]]:
    """A TUN to send by, and what yields so many packets of TCP that come out of another one."""
    inner, outer = Tun("inner0"), Tun("outer0", offload=False)
    for tun, v4, v6 in ((inner, "192.0.2.2/24", "fd00:1::2/64"), (outer, "198.51.100.2/24", "fd00:2::2/64")):
        configure(tun.name, [parse_address(v4), parse_address(v6)], mtu=1500)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")

    def read(count: int) -> list[bytes]:
        packets: list[bytes] = []
        while len(packets) < count:  # forwarding happens within the write
            packet = outer.receive()
            assert packet is not None, f"{len(packets)} packets of {count}"
            if packet[9 if packet[0] >> 4 == 4 else 6] == tcp.PROTOCOL:
                packets.append(packet)
        return packets

    return inner, read


def test_like_the_kernel() -> None:
    inner, read = forwarder()

    @settings(deadline=None, max_examples=200)
    @given(
        family=st.sampled_from([4, 6]),
        mss=st.integers(100, 1428),
        size=st.integers(1, 20_000),
        seq=st.integers(0, 2**32 - 1),
        identification=st.integers(0, 0xFFFF),
        flags=st.sampled_from(FLAGS),
        timestamps=st.booleans(),
        filler=st.randoms(use_true_random=False),
    )
    def check(family, mss, size, seq, identification, flags, timestamps, filler) -> None:  # type: ignore[no-untyped-def]
        stamps = (1, 2) if timestamps else (None, None)
        payload = filler.randbytes(mss + size)
        segment = tcp.Segment(80, 9, seq, 1, flags, 99, 0, payload, *stamps)
        expected = segment_packet(super_segment(family, 63, segment, mss, identification))
        assert inner.send((super_segment(family, 64, segment, mss, identification),))
        assert inner.counters()["send-drops"] == 0
        assert read(len(expected)) == [packet[virtio.LENGTH :] for packet in expected]

    check()
    assert inner.counters()["offload-refused"] == 0


def test_whatever_is_no_super_segment_is_refused() -> None:
    for packet in (b"", bytes(virtio.LENGTH), bytes(60)):
        with pytest.raises(ValueError, match="not a super-segment"):
            segment_packet(packet)
