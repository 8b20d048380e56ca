from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import ipv4, ipv6, tcp, virtio
from usertcp.wire.frame import FrameTemplate
from usertcp.wire.tcp import ACK, CWR, NO_OPTIONS, Options, Segment

A4, B4 = b"\xc0\0\2\1", b"\xc0\0\2\2"
A6, B6 = bytes(range(16)), bytes(range(16, 32))

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 2**32 - 1)
pairs = st.sampled_from([(A4, B4), (A6, B6)])
options_that_fit = st.just(NO_OPTIONS) | st.builds(
    Options,
    mss=st.none() | u16,
    window_scale=st.none() | st.integers(0, 14),
    sack_permitted=st.booleans(),
    sack=st.lists(st.tuples(u32, u32), max_size=1).map(tuple),
    fast_open=st.none(),
    user_timeout=st.none(),
    unknown=st.just(()),
    fast_open_experiment=st.none(),
)


@st.composite
def all_segments(draw: st.DrawFn) -> Segment:
    ts = draw(st.none() | st.tuples(u32, u32))
    return Segment(
        draw(u16),
        draw(u16),
        draw(u32),
        draw(u32),
        draw(st.integers(0, 0x1FF)),
        draw(u16),
        draw(u16),
        draw(st.binary(max_size=30)),
        ts[0] if ts else None,
        ts[1] if ts else None,
        draw(options_that_fit),
    )


def build(template: FrameTemplate, segment: Segment, gso_size: int, tos: int = 0) -> bytes:
    packet = template.build(
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        segment.urgent,
        segment.ts_val,
        segment.ts_ecr,
        segment.options,
        segment.payload,
        gso_size,
        tos,
    )
    assert len(packet) == (2 if segment.payload else 1)
    return b"".join(packet)


def step_by_step(
    segment: Segment, src: bytes, dst: bytes, *, ttl: int, tos: int, offload: bool, identification: int = 0
) -> bytes:
    header = tcp.emit(segment, src, dst, partial_checksum=offload)
    length = len(header) + len(segment.payload)
    if len(src) == 4:
        ip = ipv4.emit(
            ipv4.Header(src, dst, 6, ttl, tos, dont_fragment=True, identification=identification), length
        )
    else:
        ip = ipv6.emit(ipv6.Header(src, dst, 6, ttl, tos, flow_label=0xABCDE), length)
    return ip + header + segment.payload


@given(all_segments(), pairs, st.integers(1, 255), st.integers(0, 255), st.booleans())
def test_says_the_same_as_the_codecs(
    segment: Segment, pair: tuple[bytes, bytes], ttl: int, tos: int, offload: bool
) -> None:
    ports = segment.src_port, segment.dst_port
    template = FrameTemplate(*pair, *ports, ttl=ttl, flow_label=0xABCDE, offload=offload)
    expected = step_by_step(segment, *pair, ttl=ttl, tos=tos, offload=offload)
    if offload:
        ip_length = 20 if len(pair[0]) == 4 else 40
        expected = virtio.emit(virtio.NetHeader(1, 0, 0, 0, ip_length, 16)) + expected
    assert build(template, segment, 1460, tos) == expected


@given(all_segments().filter(lambda segment: len(segment.payload) > 1), pairs, st.data())
def test_super_segment(segment: Segment, pair: tuple[bytes, bytes], data: st.DataObject) -> None:
    gso_size = data.draw(st.integers(1, len(segment.payload) - 1))
    template = FrameTemplate(*pair, segment.src_port, segment.dst_port, flow_label=0xABCDE, offload=True)
    ip_length, gso_type = (20, virtio.GSO_TCPV4) if len(pair[0]) == 4 else (40, virtio.GSO_TCPV6)
    if segment.flags & CWR:
        gso_type |= virtio.GSO_ECN
    header_length = ip_length + 20 + tcp.options_length(segment)
    net_header = virtio.NetHeader(virtio.NEEDS_CSUM, gso_type, header_length, gso_size, ip_length, 16)
    expected = step_by_step(segment, *pair, ttl=64, tos=0, offload=True)
    assert build(template, segment, gso_size) == virtio.emit(net_header) + expected


def test_identification_counts_the_segments_of_super_segments() -> None:
    template = FrameTemplate(A4, B4, 80, 1024, offload=True)
    identifications = []
    for payload in (b"", b"x" * 30, b"x" * 10, b"x" * 31, b"x" * 11):
        packet = build(template, Segment(80, 1024, 1, 2, ACK, 3, payload=payload), 10)
        parsed = ipv4.parse(packet[virtio.LENGTH :])
        assert isinstance(parsed, ipv4.Header)
        identifications.append(parsed.identification)
    assert identifications == [0, 0, 0, 3, 7]


def test_payload_is_not_copied() -> None:
    payload = memoryview(bytes(5000))
    packet = FrameTemplate(A6, B6, 80, 1024, offload=True).build(
        1, 2, ACK, 3, 0, None, None, NO_OPTIONS, payload, 1440
    )
    assert packet[1] is payload
