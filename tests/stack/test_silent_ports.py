"""Ports where nobody listens: a RST (RFC 9293 §3.10.7.1) or an ICMP message (RFC 1122 §4.1.3.1), or nothing."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import OURS, THEIRS, meet
from usertcp.stack.host import Host, HostConfig
from usertcp.wire import ipv4, udp
from usertcp.wire.tcp import ACK, RST, SYN


@pytest.mark.parametrize(("silent", "to_syn", "to_ack"), [("none", 1, 1), ("syn", 0, 1), ("all", 0, 0)])
def test_tcp(silent: str, to_syn: int, to_ack: int) -> None:
    _us, peer = meet(config=HostConfig(silent_ports=silent))
    peer.sends(SYN, seq=0)
    assert len(peer.ignores()) == to_syn
    peer.sends(ACK, seq=0, ack=5)
    assert len(peer.ignores()) == to_ack
    peer.sends(RST, seq=0)
    peer.hears_nothing()


def test_where_somebody_listens_is_no_silence() -> None:
    us, peer = meet(config=HostConfig(silent_ports="all"))
    us.listens()
    peer.sends(ACK, seq=0, ack=5)
    peer.receives(RST)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)


@pytest.mark.parametrize("silent", [False, True])
def test_udp(silent: bool) -> None:
    host = Host([OURS[4]], secret=bytes(16), config=HostConfig(silent_udp_ports=silent))
    datagram = udp.emit(THEIRS[4], OURS[4], 40000, 53, b"text") + b"text"
    header = ipv4.emit(ipv4.Header(THEIRS[4], OURS[4], udp.PROTOCOL), len(datagram))
    host.packet_arrives(header + datagram, 1.0)
    assert len(host.outbox) == (not silent)
    assert host.stats["udp-port-closed"] == 1
