"""What a host says to itself."""

from __future__ import annotations

import pytest

from usertcp.stack import loopback
from usertcp.stack.errors import NotOurAddress
from usertcp.stack.host import Host
from usertcp.tcp.states import State
from usertcp.wire import ipv4

OWN, OTHER = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])


def host_of(*, offload: bool = False) -> Host:
    host = Host([OWN, bytes.fromhex("fd00929300000000" + "0" * 15 + "2")], secret=bytes(16), offload=offload)
    host.loopback = True
    return host


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("address", [loopback.IPV4, loopback.IPV6, OWN, bytes([127, 1, 2, 3])], ids=str)
def test_it_is_heard_and_never_leaves(address: bytes, offload: bool) -> None:
    host = host_of(offload=offload)
    listener = host.listen(80, address=address)
    client = host.connect(address, 80, 1.0)
    host.flush(1.0)
    loopback.deliver(host, 1.0)
    server = listener.accept()
    assert server is not None
    assert client.state is server.state is State.ESTABLISHED
    assert (client.local_address, client.local_port) == (server.remote_address, server.remote_port)
    client.send(bytes(100_000), 1.0)
    host.flush(1.0)
    loopback.deliver(host, 1.0)
    assert server.receive(200_000, 1.0) == bytes(100_000)
    assert not host.outbox


def test_what_is_for_others_leaves_in_its_order() -> None:
    host = host_of()
    for remote in (OTHER, loopback.IPV4, OTHER):
        host.connect(remote, 80, 1.0)
    host.flush(1.0)
    left = [packet for packet in host.outbox if b"".join(packet)[16:20] == OTHER]
    loopback.deliver(host, 1.0)
    assert list(host.outbox) == left
    assert len(left) == 2


def test_the_link_is_not_believed() -> None:
    """RFC 1122 §3.2.1.3 (g): a loopback address never appears outside of a host."""
    for src, dst, why in (
        (loopback.IPV4, OWN, "source-not-a-host"),
        (OTHER, loopback.IPV4, "not-our-address"),
        (OWN, OWN, "source-is-us"),
    ):
        host = host_of()
        host.listen(80)
        host.packet_arrives(ipv4.emit(ipv4.Header(src, dst, 6), 0), 1.0)
        assert host.stats.snapshot()[why] == 1
        assert not host.outbox


def test_nobody_else_is_told_a_loopback_address() -> None:
    with pytest.raises(NotOurAddress, match="nobody but this host"):
        host_of().connect(OTHER, 80, 1.0, local_address=loopback.IPV4)


def test_a_host_without_loopback_has_no_such_addresses() -> None:
    host = Host([OWN], secret=bytes(16))
    with pytest.raises(NotOurAddress):
        host.listen(80, address=loopback.IPV4)
