import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import ipv6
from usertcp.wire.ipv6 import Extension, Fragment
from usertcp.wire.malformed import Malformed

SRC = bytes.fromhex("fd009293000000000000000000000001")
DST = bytes.fromhex("fd009293000000000000000000000002")
SIMPLE = ipv6.Header(SRC, DST, 6)
PADDING = b"\1\4\0\0\0\0"  # PadN that fills a header of 8 bytes

u8 = st.integers(0, 0xFF)
address = st.binary(min_size=16, max_size=16)
upper_layers = u8.filter(lambda kind: kind not in (0, 43, 44, 60))


def option(kind: int, data: bytes) -> bytes:
    return bytes((kind, len(data))) + data


def filled(options: bytes) -> bytes:
    """Options padded to what an extension header holds."""
    missing = -(2 + len(options)) % 8
    return options + (b"" if not missing else b"\0" if missing == 1 else option(1, bytes(missing - 2)))


options = st.lists(st.builds(option, st.sampled_from([1, 5, 30]), st.binary(max_size=20))).map(
    lambda parts: filled(b"".join(parts))
)
destination_options = st.builds(Extension, st.just(ipv6.DESTINATION_OPTIONS), options)
routing = st.builds(Extension, st.just(ipv6.ROUTING), st.just(bytes((0, 0, 0, 0, 0, 0))))
atomic_fragments = st.builds(
    Extension, st.just(ipv6.FRAGMENT), st.binary(min_size=4, max_size=4).map(lambda ident: b"\0\0" + ident)
)
hop_by_hop = st.builds(Extension, st.just(ipv6.HOP_BY_HOP), options)
chains = st.builds(
    lambda first, rest: (*first, *rest),
    st.lists(hop_by_hop, max_size=1),
    st.lists(destination_options | routing | atomic_fragments, max_size=6),
)
fragments = st.builds(
    Fragment, st.integers(0, 0x1FFF).map(lambda units: units * 8), st.booleans(), st.integers(0, 2**32 - 1)
).filter(lambda fragment: fragment.offset or fragment.more)
headers = st.builds(
    ipv6.Header,
    src=address,
    dst=address,
    next_header=upper_layers,
    hop_limit=u8,
    traffic_class=u8,
    flow_label=st.integers(0, 0xFFFFF),
    extensions=chains,
    fragment=st.none() | fragments,
)


@given(headers, st.binary(max_size=40))
def test_round_trip(header: ipv6.Header, payload: bytes) -> None:
    emitted = ipv6.emit(header, len(payload))
    parsed = ipv6.parse(memoryview(emitted + payload))
    assert parsed == header._replace(payload_offset=len(emitted), payload_length=len(payload))


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(ipv6.parse(data), ipv6.Header | Malformed)


@given(headers, st.binary(max_size=40), st.data())
def test_mutated(header: ipv6.Header, payload: bytes, data: st.DataObject) -> None:
    packet = bytearray(ipv6.emit(header, len(payload)) + payload)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(u8)
    cut = data.draw(st.integers(0, len(packet)))
    parsed = ipv6.parse(memoryview(packet)[:cut])
    assert isinstance(parsed, ipv6.Header | Malformed)
    if isinstance(parsed, ipv6.Header):
        assert 40 <= parsed.payload_offset <= parsed.payload_offset + parsed.payload_length <= cut


def with_extensions(*extensions: Extension) -> bytes:
    return ipv6.emit(SIMPLE._replace(extensions=extensions), 0)


def test_reasons() -> None:
    packet = ipv6.emit(SIMPLE, 0)
    assert ipv6.parse(packet[:39]) is Malformed.IPV6_HEADER_TRUNCATED
    assert ipv6.parse(b"\x45" + packet[1:]) is Malformed.IPV6_VERSION
    assert ipv6.parse(ipv6.emit(SIMPLE, 1)) is Malformed.IPV6_PAYLOAD_LENGTH
    assert ipv6.parse(ipv6.emit(SIMPLE._replace(next_header=60), 7) + bytes(7)) is (
        Malformed.IPV6_EXTENSION_TRUNCATED
    )
    assert ipv6.parse(ipv6.emit(SIMPLE._replace(next_header=60), 8) + b"\6\1" + bytes(6)) is (
        Malformed.IPV6_EXTENSION_TRUNCATED
    )


def test_reasons_in_extension_headers() -> None:
    padding = Extension(ipv6.DESTINATION_OPTIONS, PADDING)
    late = Extension(ipv6.HOP_BY_HOP, PADDING)
    assert ipv6.parse(with_extensions(padding, late)) is Malformed.IPV6_EXTENSION_ORDER
    assert isinstance(ipv6.parse(with_extensions(*[padding] * 8)), ipv6.Header)
    assert ipv6.parse(with_extensions(*[padding] * 9)) is Malformed.IPV6_EXTENSIONS_TOO_MANY
    waypoint = Extension(ipv6.ROUTING, b"\0\1" + bytes(4))
    assert ipv6.parse(with_extensions(waypoint)) is Malformed.IPV6_ROUTING


@pytest.mark.parametrize("kind", [ipv6.HOP_BY_HOP, ipv6.DESTINATION_OPTIONS])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x3e\4\0\0\0\0", None),
        (b"\x7e\4\0\0\0\0", Malformed.IPV6_OPTION_UNRECOGNIZED),
        (b"\xbe\4\0\0\0\0", Malformed.IPV6_OPTION_UNRECOGNIZED),
        (b"\xfe\4\0\0\0\0", Malformed.IPV6_OPTION_UNRECOGNIZED),
        (b"\xc2\4\0\1\0\0", Malformed.IPV6_JUMBOGRAM),
        (b"\1\5\0\0\0\0", Malformed.IPV6_OPTION),
        (b"\0\0\0\0\0\1", Malformed.IPV6_OPTION),
        (b"\0\0\0\0\0\0", None),
    ],
)
def test_options(kind: int, content: bytes, expected: Malformed | None) -> None:
    parsed = ipv6.parse(with_extensions(Extension(kind, content)))
    if expected is None:
        assert isinstance(parsed, ipv6.Header)
    else:
        assert parsed is expected


def test_behind_a_fragment_header_nothing_is_parsed() -> None:
    fragment = Fragment(0, True, 7)
    packet = ipv6.emit(SIMPLE._replace(next_header=60, fragment=fragment), 8) + bytes(8)
    parsed = ipv6.parse(packet)
    assert isinstance(parsed, ipv6.Header)
    assert (parsed.next_header, parsed.fragment, parsed.payload_offset) == (60, fragment, 48)


def test_walking_on_behind_a_fragment_header() -> None:
    padding = b"\6\0" + PADDING
    assert ipv6.walk(b"data", 6, 4, 0) == ipv6.Chain(6, 0, (), None)
    assert ipv6.walk(padding + b"data", 60, 12, 0) == ipv6.Chain(6, 8, (Extension(60, PADDING),), None)
    assert ipv6.walk(padding, ipv6.HOP_BY_HOP, 8, 0) is Malformed.IPV6_EXTENSION_ORDER
    assert ipv6.walk(padding, 60, 7, 0) is Malformed.IPV6_EXTENSION_TRUNCATED


def test_atomic_fragment_is_whole() -> None:
    parsed = ipv6.parse(ipv6.emit(SIMPLE._replace(fragment=Fragment(0, False, 7)), 0))
    assert isinstance(parsed, ipv6.Header)
    assert parsed.fragment is None
    assert parsed.extensions == (Extension(ipv6.FRAGMENT, b"\0\0\0\0\0\7"),)


def test_what_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="too long"):
        ipv6.emit(SIMPLE, 65536)
    with pytest.raises(ValueError, match="offset"):
        ipv6.emit(SIMPLE._replace(fragment=Fragment(4, True, 0)), 0)
    for extension in (Extension(60, b"x"), Extension(60, bytes(2054)), Extension(44, bytes(14))):
        with pytest.raises(ValueError, match="extension header"):
            with_extensions(extension)
