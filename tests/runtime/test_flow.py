"""Which connection a packet belongs to: the answer is the host's own key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.runtime.flow import flow_of
from usertcp.stack.host import Host
from usertcp.stack.keys import sockets_of
from usertcp.wire.tcp import ACK, SYN

V4 = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
V6 = bytes.fromhex("fd009293000000000000000000000002"), bytes.fromhex("fd009293000000000000000000000001")


@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("addresses", [V4, V6], ids=["IPv4", "IPv6"])
def test_a_packet_that_leaves_and_the_one_that_answers(addresses: tuple[bytes, bytes], offload: bool) -> None:
    ours, theirs = addresses
    client = Host([ours], secret=b"c" * 16, offload=offload)
    server = Host([theirs], secret=b"s" * 16, offload=offload)
    server.listen(80)
    connection = client.connect(theirs, 80, 0.0)
    client.flush(0.0)
    syn = client.outbox.popleft()
    assert flow_of(syn, offload=offload, inbound=False) == (connection.key, SYN)
    # However the device cuts it.
    whole = b"".join(syn)
    assert flow_of((whole[:20], whole[20:]), offload=offload, inbound=False) == (connection.key, SYN)
    server.packet_arrives(whole, 0.0)
    server.flush(0.0)
    (answer,) = server.outbox
    assert flow_of((b"".join(answer),), offload=offload, inbound=True) == (connection.key, SYN | ACK)
    assert sockets_of(connection.key) == (theirs, 80, ours, connection.local_port)


def test_what_is_no_segment_belongs_to_nobody() -> None:
    packet = bytearray(b"\x45" + bytes(39))
    packet[9] = 6
    packet[33] = ACK
    assert flow_of((bytes(packet),), offload=False, inbound=True) == (bytes(12), ACK)
    packet[9] = 17  # UDP
    assert flow_of((bytes(packet),), offload=False, inbound=True) is None
    packet[9] = 6
    packet[7] = 1  # a fragment that is not the first
    assert flow_of((bytes(packet),), offload=False, inbound=True) is None
    packet[6:8] = b"\x20\x00"  # the first of several
    assert flow_of((bytes(packet),), offload=False, inbound=True) is None
    packet[6:8] = b"\x40\x00"  # "don't fragment"
    assert flow_of((bytes(packet),), offload=False, inbound=True) is not None


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_anything_may_come(buffers: list[bytes], offload: bool, inbound: bool) -> None:
    flow_of(tuple(buffers), offload=offload, inbound=inbound)
