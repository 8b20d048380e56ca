from errno import EAGAIN, EINVAL, ENOMSG
from struct import pack

import pytest

from tests.sim.posix.peer import START, accepted, errno_of, machine
from usertcp.sim.posix import Machine, NotSupported
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK, RST


def zerocopy(first: int, last: int, *, copied: bool = True) -> tuple[int, int, bytes]:
    code = c.SO_EE_CODE_ZEROCOPY_COPIED if copied else 0
    return c.SOL_IP, c.IP_RECVERR, pack("=IBBBBII", 0, c.SO_EE_ORIGIN_ZEROCOPY, 0, code, 0, first, last) + bytes(16)


def stamp(kind: int, key: int) -> tuple[int, int, bytes]:
    error = pack("=IBBBBII", ENOMSG, c.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, 0, kind, key)
    return c.SOL_IP, c.IP_RECVERR, error + bytes(16)


def at(moment: float) -> tuple[int, int, bytes]:
    whole, part = divmod(round(moment * 1_000_000_000), 1_000_000_000)
    return c.SOL_SOCKET, c.SCM_TIMESTAMPING, pack("=qqqqqq", whole, part, 0, 0, 0, 0)


def queued(us: Machine, fd: int) -> list[tuple[tuple[int, int, bytes], ...]]:
    found = []
    while errno_of(us.poll, [(fd, 0)], 0) is None and us.poll([(fd, 0)], 0)[0][1] & c.POLLERR:
        message = us.recvmsg(fd, 1000, 200, c.MSG_ERRQUEUE)
        assert message.flags == c.MSG_ERRQUEUE
        found.append(message.control)
    return found


# -- MSG_ZEROCOPY ------------------------------------------------------------------------------------------------


def test_zerocopy_is_over_when_it_is_acknowledged() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_ZEROCOPY, packed(1))
    assert us.send(fd, bytes(4000), c.MSG_ZEROCOPY) == 4000
    peer.receives()
    assert errno_of(us.recvmsg, fd, 0, 100, c.MSG_ERRQUEUE) == EAGAIN
    peer.sends(ACK, ack=4000)
    assert queued(us, fd) == []
    peer.sends(ACK, ack=4001)
    assert queued(us, fd) == [(zerocopy(0, 0),)]


def test_completions_are_joined() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_ZEROCOPY, packed(1))
    for _ in range(3):
        us.send(fd, bytes(1000), c.MSG_ZEROCOPY)
    us.send(fd, bytes(1000), 0)
    us.send(fd, bytes(1000), c.MSG_ZEROCOPY)
    peer.receives()
    peer.sends(ACK, ack=2001)
    peer.sends(ACK, ack=3001)
    assert queued(us, fd) == [(zerocopy(0, 2),)]
    peer.sends(ACK, ack=5001)
    assert queued(us, fd) == [(zerocopy(3, 3),)]


def test_without_the_option_the_flag_says_nothing() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.send(fd, bytes(1000), c.MSG_ZEROCOPY)
    peer.receives()
    peer.sends(ACK)
    assert queued(us, fd) == []


def test_what_never_left_was_not_copied() -> None:
    us = machine()
    fd, peer = accepted(us, window=1000)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_ZEROCOPY, packed(1))
    us.send(fd, bytes(1000), c.MSG_ZEROCOPY)
    us.send(fd, bytes(1000), c.MSG_ZEROCOPY)
    peer.sends(RST)
    assert us.recvmsg(fd, 0, 100, c.MSG_ERRQUEUE).control == (zerocopy(0, 0),)
    assert us.recvmsg(fd, 0, 100, c.MSG_ERRQUEUE).control == (zerocopy(1, 1, copied=False),)


# -- SO_TIMESTAMPING ---------------------------------------------------------------------------------------------

ALL = c.SOF_TIMESTAMPING_TX_SCHED | c.SOF_TIMESTAMPING_TX_SOFTWARE | c.SOF_TIMESTAMPING_TX_ACK
REPORT = c.SOF_TIMESTAMPING_SOFTWARE | c.SOF_TIMESTAMPING_OPT_ID


def test_stamps() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(ALL | REPORT))
    us.advance(START + 1)
    us.write(fd, bytes(100))
    us.advance(START + 2)
    us.write(fd, bytes(11))  # Nagle holds it back
    sent = [(at(START + 1), stamp(c.SCM_TSTAMP_SCHED, 99)), (at(START + 1), stamp(c.SCM_TSTAMP_SND, 99))]
    assert queued(us, fd) == sent
    peer.receives()
    us.advance(START + 2.5)
    peer.sends(ACK)
    assert queued(us, fd) == [
        (at(START + 2.5), stamp(c.SCM_TSTAMP_ACK, 99)),
        (at(START + 2.5), stamp(c.SCM_TSTAMP_SCHED, 110)),
        (at(START + 2.5), stamp(c.SCM_TSTAMP_SND, 110)),
    ]


def test_a_stamp_comes_with_what_it_is_about() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(ALL | c.SOF_TIMESTAMPING_SOFTWARE))
    us.write(fd, b"data")
    peer.receives()
    peer.sends(ACK)
    messages = [us.recvmsg(fd, 43, 200, c.MSG_ERRQUEUE) for _ in range(3)]
    assert [message.data for message in messages] == [bytes(40) + b"dat", bytes(40) + b"dat", b"data"]
    assert [bool(message.flags & c.MSG_TRUNC) for message in messages] == [True, True, False]
    only = packed(ALL | c.SOF_TIMESTAMPING_SOFTWARE | c.SOF_TIMESTAMPING_OPT_TSONLY)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, only)
    us.write(fd, b"data")
    assert us.recvmsg(fd, 43, 200, c.MSG_ERRQUEUE).data == b""


def test_a_call_may_want_others() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(REPORT))
    us.write(fd, bytes(100))
    want = (c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(c.SOF_TIMESTAMPING_TX_ACK))
    us.sendmsg(fd, [bytes(100)], [want])
    peer.receives()
    peer.sends(ACK)
    peer.receives()
    peer.sends(ACK)
    assert queued(us, fd) == [(at(START), stamp(c.SCM_TSTAMP_ACK, 199))]


def test_without_a_number_each_key_is_zero() -> None:
    us = machine()
    fd, _ = accepted(us)
    us.setsockopt(
        fd,
        c.SOL_SOCKET,
        c.SO_TIMESTAMPING,
        packed(c.SOF_TIMESTAMPING_TX_SOFTWARE | c.SOF_TIMESTAMPING_SOFTWARE),
    )
    us.write(fd, bytes(100))
    assert queued(us, fd) == [(at(START), stamp(c.SCM_TSTAMP_SND, 0))]


def test_what_cannot_be_stamped() -> None:
    us = machine()
    fresh = us.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert errno_of(us.setsockopt, fresh, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(REPORT)) == EINVAL
    fd, _ = accepted(us)
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(1 << 30)) == EINVAL
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(c.SOF_TIMESTAMPING_OPT_ID_TCP)) == EINVAL
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(c.SOF_TIMESTAMPING_RX_SOFTWARE))
    assert errno_of(us.sendmsg, fd, [b"x"], [(c.SOL_SOCKET, c.SO_TIMESTAMPING, packed(REPORT))]) == EINVAL


def test_a_short_buffer_for_control_messages() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_ZEROCOPY, packed(1))
    us.send(fd, bytes(10), c.MSG_ZEROCOPY)
    peer.receives()
    peer.sends(ACK)
    message = us.recvmsg(fd, 0, 20, c.MSG_ERRQUEUE)
    assert message.control == ((c.SOL_IP, c.IP_RECVERR, zerocopy(0, 0)[2][:4]),)
    assert message.flags == c.MSG_ERRQUEUE | c.MSG_CTRUNC
