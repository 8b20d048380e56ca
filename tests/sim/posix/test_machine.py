from math import inf

from tests.sim.posix.peer import OUR_ISN, START, Peer, accepted, asleep, listener, machine, ours, theirs
from usertcp.sim.posix import SocketAddress, socket_address
from usertcp.sim.posix.addresses import sockaddr
from usertcp.sim.posix.constants import AF_INET, AF_INET6, MSG_CTRUNC
from usertcp.sim.posix.control import fit
from usertcp.tcp.states import State
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, SYN


def test_time_passes_only_when_it_is_told_to() -> None:
    us = machine()
    assert us.now == START
    assert us.deadline() == inf
    fd, peer = accepted(us)
    us.write(fd, b"x")
    peer.receives()
    due = us.deadline()
    assert due > START
    us.advance(due - 0.001)
    peer.receives_nothing()
    assert us.now == due - 0.001
    us.advance(due)
    assert len(peer.receives()) == 1
    us.advance(START)
    assert us.now == due


def test_everything_happens_in_its_order() -> None:
    one, other = machine(), machine()
    for us, steps in ((one, 1), (other, 1000)):
        fd, peer = accepted(us)
        us.write(fd, bytes(3000))
        for step in range(steps):
            us.advance(START + 100 * (step + 1) / steps)
        us.packets = [packet[20:] for packet in us.sent()]  # type: ignore[attr-defined]
        assert len(us.packets) > 5  # type: ignore[attr-defined]
        del peer
    assert one.packets == other.packets  # type: ignore[attr-defined]


def test_initial_sequence_numbers_can_be_chosen() -> None:
    us = machine()
    listener(us)
    us.next_isn = 0xFFFFFFFF
    peer = Peer(us)
    peer.sends(SYN)
    assert peer.receives_one().seq == 0xFFFFFFFF
    assert us.next_isn is None
    Peer(us, port=40001).sends(SYN)
    assert peer.receives_one().seq not in (0, 0xFFFFFFFF)


def test_states() -> None:
    us = machine()
    assert us.state_of(ours(), theirs()) is None
    listener(us)
    peer = Peer(us)
    us.next_isn = OUR_ISN
    peer.sends(SYN)
    assert us.state_of(ours(), theirs()) is State.SYN_RECEIVED
    peer.receives()
    peer.sends(ACK)
    assert us.state_of(ours(), theirs()) is State.ESTABLISHED


def test_other_packets_go_to_the_host() -> None:
    us = machine()
    peer = Peer(us)
    peer.reports(icmp.Echo(False, 1, 2, b"ping"))
    (packet,) = us.sent()
    assert icmp.parse_v4(packet[20:]) == icmp.Echo(True, 1, 2, b"ping")


def test_garbage_does_no_harm() -> None:
    us = machine()
    for packet in (b"", b"\0", b"\x45", bytes(40), b"\x60" + bytes(60), b"\xff" * 100):
        us.receive(packet)
    assert us.sent() == []


def test_a_sleeping_call_may_be_forgotten() -> None:
    us = machine()
    fd = listener(us)
    asleep(us.accept, fd)
    Peer(us).connects()
    assert us.accept(fd)[1] == theirs()


def test_addresses_as_bytes() -> None:
    assert sockaddr(socket_address("192.0.2.1", 80), AF_INET) == bytes.fromhex("02000050c0000201") + bytes(8)
    six = SocketAddress(AF_INET6, bytes(15) + b"\1", 80, flow=5, scope=9)
    assert sockaddr(six, AF_INET6) == (
        bytes.fromhex("0a00005000000005") + bytes(15) + b"\1" + bytes.fromhex("09000000")
    )
    assert sockaddr(None, AF_INET6) == bytes(28)
    assert str(socket_address("192.0.2.1", 80)) == "192.0.2.1:80"
    assert str(six) == "[::1]:80"


def test_control_messages_that_fit() -> None:
    messages = [(1, 2, b"12345"), (3, 4, b"678")]
    assert fit(messages, 24 + 19) == (((1, 2, b"12345"), (3, 4, b"678")), 0)
    assert fit(messages, 24 + 18) == (((1, 2, b"12345"), (3, 4, b"67")), MSG_CTRUNC)
    assert fit(messages, 24 + 15) == (((1, 2, b"12345"),), MSG_CTRUNC)
    assert fit(messages, 20) == (((1, 2, b"1234"),), MSG_CTRUNC)
    assert fit([], 0) == ((), 0)
