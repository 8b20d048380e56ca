"""A connection with our own stack, which knows nothing of scripts."""

from __future__ import annotations

import pytest

from tests.drill.packets.strategies import LOCAL_4, LOCAL_6, REMOTE_4, REMOTE_6
from usertcp.drill.packets import Flow, build, check, compare, describe
from usertcp.drill.parser import parse
from usertcp.drill.script import PacketEvent
from usertcp.sim.posix import Machine, SocketAddress
from usertcp.sim.posix.constants import AF_INET, AF_INET6, SOCK_STREAM
from usertcp.stack.host import Host

SERVER = """
0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 10 ecr 0>
0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 700 ecr 10>
0 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 20 ecr 700>
0 < P. 11:21(10) ack 1 win 257 <nop,nop,TS val 20 ecr 700>
0 > . 1:1(0) ack 1 <nop,nop,TS val 700 ecr 20,nop,nop,sack 11:21>
0 < P. 1:11(10) ack 1 win 257 <nop,nop,TS val 20 ecr 700>
0 > . 1:1(0) ack 21 <nop,nop,TS val 700 ecr 20>
0 < R. 21:21(0) ack 1 win 257 <nop,nop,TS val 20 ecr 700>
0 < . 21:21(0) ack 1 win 257 <nop,nop,TS val 20 ecr 700>
0 > R 1:1(0)
0 < S 0:0(0) win 32792
0 > S. 0:0(0) ack 1 <mss 1460>
"""
NOBODY = """
0 < S 0:0(0) win 100
0 > R. 0:0(0) ack 1
0 < P. 1:11(10) ack 5 win 100
0 > R 5:5(0)
0 < FP 1:11(10) win 100
0 > R. 0:0(0) ack 12
"""


FAMILIES = pytest.mark.parametrize(
    ("local", "remote", "family"), [(LOCAL_4, REMOTE_4, AF_INET), (LOCAL_6, REMOTE_6, AF_INET6)]
)


def play(script: str, machine: Machine, flow: Flow) -> None:
    for event in parse(script, "test").events:
        action = event.action
        assert isinstance(action, PacketEvent)
        check(action.packet, 4 if len(flow.local) == 4 else 6, inbound=action.inbound)
        if action.inbound:
            machine.receive(build(action.packet, flow))
            continue
        (packet,) = machine.sent()
        assert compare(action.packet, packet, flow) == [], describe(packet, flow)
    assert machine.sent() == []


def machine_at(local: bytes) -> Machine:
    """With a path that leaves room for 1460 bytes in a segment."""
    return Machine(Host([local], secret=b"as many as it takes.", mtu=1500 if len(local) == 4 else 1520), now=7.0)


@FAMILIES
@pytest.mark.parametrize("remote_offset", [0, 2**32 - 5])
def test_a_connection(local: bytes, remote: bytes, family: int, remote_offset: int) -> None:
    machine = machine_at(local)
    fd = machine.socket(family, SOCK_STREAM, 0)
    machine.bind(fd, SocketAddress(family, local, 8080))
    machine.listen(fd, 5)
    play(SERVER, machine, Flow(local, remote, 8080, 34567, remote_offset))


@FAMILIES
def test_a_closed_port(local: bytes, remote: bytes, family: int) -> None:
    play(NOBODY, machine_at(local), Flow(local, remote, 8080, 34567))
