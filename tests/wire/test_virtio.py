from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import virtio
from usertcp.wire.malformed import Malformed

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
headers = st.builds(virtio.NetHeader, u8, u8, u16, u16, u16, u16)


@given(headers, st.binary(max_size=8))
def test_round_trip(header: virtio.NetHeader, packet: bytes) -> None:
    emitted = virtio.emit(header)
    assert len(emitted) == virtio.LENGTH
    assert virtio.parse(emitted + packet) == header


@given(st.binary(max_size=12))
def test_any_bytes(data: bytes) -> None:
    parsed = virtio.parse(memoryview(data))
    assert (parsed is Malformed.VIRTIO_TRUNCATED) == (len(data) < virtio.LENGTH)
