"""What goes wrong on the wire is what the exception says, and of the kind that programs catch."""

from __future__ import annotations

import errno

import pytest
import trio
from trio.testing import MockClock

import usertcp
from tests.runtime.simulated import CLIENT, SERVER, breaks, connected, hosts
from usertcp.stack.errors import InvalidRemoteAddress, NotOurAddress
from usertcp.tcp import errors
from usertcp.tcp.errors import (
    ConnectionAborted,
    ConnectionRefused,
    ConnectionReset,
    ConnectionTimedOut,
    HostUnreachable,
    TcpError,
)
from usertcp.testing import Conditions, NetworkHost, Opener
from usertcp.testing.port import Port
from usertcp.wire import icmp, ipv4

NOTHING_PASSES = Conditions(loss=1.0)


async def until_it_breaks(stream: usertcp.TcpStream) -> None:
    while True:
        await stream.send_all(bytes(100_000))


# -- Opening -----------------------------------------------------------------------------------------


async def test_refused(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (client, _, _, _):
        with pytest.raises(ConnectionRefusedError, match="connection refused in SYN-SENT: the peer ") as caught:
            await client.open_stream(SERVER, 7)
        assert isinstance(caught.value, ConnectionRefused)
        assert caught.value.errno == errno.ECONNREFUSED


async def test_nobody_answers_our_syn(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network, conditions=NOTHING_PASSES) as (client, _, _, packets):
        with pytest.raises(TimeoutError, match=r"^retransmission timed out after (\d+) tries in SYN-SENT") as caught:
            await client.open_stream(SERVER, 7)
        assert isinstance(caught.value, ConnectionTimedOut)
        assert caught.value.errno == errno.ETIMEDOUT
        assert f"after {len(packets) - 1} tries" in str(caught.value)


def router_says(client: NetworkHost, code: int, packet: bytes) -> None:
    """An ICMP message that quotes ``packet`` reaches its sender."""
    body = icmp.emit_v4(icmp.Unreachable(code, packet))
    router = bytes([10, 0, 0, 254])
    client.arrives(ipv4.emit(ipv4.Header(router, packet[12:16], icmp.PROTOCOL_V4), len(body)) + body)


async def test_a_hard_icmp_error_ends_the_attempt(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with usertcp_network() as network:
        client = await network.add_host("client", CLIENT)
        network.tap(lambda tapped: router_says(client, icmp.V4_PORT, tapped.packet))
        with pytest.raises(OSError, match="no route: ICMP port unreachable in SYN-SENT") as caught:
            await client.open_stream(SERVER, 7)
        assert isinstance(caught.value, HostUnreachable)
        assert caught.value.errno == errno.EHOSTUNREACH


async def test_a_soft_icmp_error_is_told_in_the_end(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """RFC 9293 §3.9.2.2 (MUST-56): the connection does not end for it."""
    async with usertcp_network() as network:
        client = await network.add_host("client", CLIENT)
        network.tap(lambda tapped: router_says(client, icmp.V4_HOST, tapped.packet))
        with pytest.raises(TimeoutError, match=r"\(no route: ICMP host unreachable\)$"):
            await client.open_stream(SERVER, 7)


async def test_addresses_that_lead_nowhere(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (client, _, _, _):
        for address, error, number in (
            ("255.255.255.255", InvalidRemoteAddress, errno.ENETUNREACH),
            ("fd00::1", NotOurAddress, errno.EADDRNOTAVAIL),
        ):
            with pytest.raises(error) as caught:
                await client.open_stream(address, 7)
            assert isinstance(caught.value, OSError)
            assert caught.value.errno == number


# -- The peer ends it --------------------------------------------------------------------------------


async def test_reset_while_receiving(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        ends.theirs.abort()
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionReset)
        assert isinstance(cause, ConnectionResetError)
        assert str(cause) == "reset by peer in ESTABLISHED"


async def test_reset_while_sending(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(breaks, lambda: until_it_breaks(ends.ours))
        await trio.sleep(1)
        ends.theirs.abort()
        await trio.sleep(1)
        assert str(await breaks(lambda: ends.ours.send_all(b"x"))) == "reset by peer in ESTABLISHED"
        await ends.ours.wait_send_all_might_not_block()


async def test_reset_in_other_states(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        await ends.ours.send_eof()
        await trio.sleep(1)
        ends.theirs.abort()
        assert str(await breaks(ends.ours.receive_some)) == "reset by peer in FIN-WAIT-2"
    async with connected(usertcp_network) as ends:
        await ends.theirs.send_eof()
        assert await ends.ours.receive_some() == b""
        ends.theirs.abort()
        await trio.sleep(1)
        assert str(await breaks(lambda: ends.ours.send_all(b"x"))) == "reset by peer in CLOSE-WAIT"


async def test_what_was_sent_to_a_closed_stream_is_answered_by_a_reset(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends:
        await ends.theirs.aclose()
        await trio.sleep(1)
        await ends.ours.send_all(b"is anybody there?")
        await trio.sleep(1)
        assert str(await breaks(lambda: ends.ours.send_all(b"?"))) == "reset by peer in CLOSE-WAIT"


# -- The peer does not answer ------------------------------------------------------------------------


async def test_retransmissions_without_an_answer(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        ends.link.partition()
        ends.packets.clear()
        await ends.ours.send_all(b"hello?")
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionTimedOut)
        tries = len(ends.packets) - 1
        assert str(cause).startswith(
            f"retransmission timed out after {tries} tries in ESTABLISHED: the peer did not acknowledge our data"
        )


async def test_the_user_timeout(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        ends.link.partition()
        ends.ours.user_timeout = 5
        await ends.ours.send_all(b"hello?")
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionTimedOut)
        assert str(cause).startswith("user timeout after ")
        assert str(cause).endswith(" tries in ESTABLISHED: the peer did not acknowledge our data within 5 s"), cause


async def test_keep_alives_without_an_answer(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        ends.link.partition()
        ends.ours.keepalive = True
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionTimedOut)
        assert str(cause) == (
            "keep-alive timed out after 9 tries in ESTABLISHED: "
            "the peer was silent for 7876 s and answered no keep-alive"
        )


async def test_a_closed_window_and_no_answer_to_its_probes(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(breaks, lambda: until_it_breaks(ends.ours))
        await trio.sleep(100)  # the window is closed and probed
        ends.link.partition()
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionTimedOut)
        assert str(cause).startswith("window probes timed out after ")
        assert str(cause).endswith(" tries in ESTABLISHED: the peer stopped answering the probes of its closed window")


async def test_a_window_that_stays_closed_for_longer_than_the_user_timeout(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends, trio.open_nursery() as nursery:
        ends.ours.user_timeout = 30
        nursery.start_soon(breaks, lambda: until_it_breaks(ends.ours))
        cause = await breaks(ends.ours.receive_some)
        assert str(cause) == "user timeout in ESTABLISHED: the peer kept its window closed for 30 s"


# -- Our own side ends it ----------------------------------------------------------------------------


async def test_the_stack_stops(autojump_clock: MockClock) -> None:
    """Who holds a stream for longer than its stack is told so, in whatever it does with it."""
    wire: list[Port] = []
    ports = [Port(1500, lambda packet: wire[1].arrives(packet)), Port(1500, lambda packet: wire[0].arrives(packet))]
    wire += ports
    async with usertcp.open_stack(ports[0], addresses=[f"{SERVER}/24"], grace=5) as server:
        async with usertcp.open_stack(ports[1], addresses=[f"{CLIENT}/24"], grace=5) as stack:
            listener = await server.open_listener(7)
            idle = await stack.open_stream(SERVER, 7)
            orderly = await stack.open_stream(SERVER, 7)
            peers = [await listener.accept(), await listener.accept()]
            await peers[1].send_eof()
            assert await orderly.receive_some() == b""
        began = trio.current_time()
        assert await orderly.receive_some() == b""
        for stream in (idle, orderly):
            cause = await breaks(lambda stream=stream: stream.send_all(b"x"))
            assert isinstance(cause, ConnectionAborted)
            assert "the stack stop" in str(cause)
        assert str(await breaks(idle.receive_some)) == "the stack stopped in FIN-WAIT-2"
        assert trio.current_time() == began
        with pytest.raises(trio.ClosedResourceError, match="this stack has stopped"):
            await stack.open_stream(SERVER, 7)
        with pytest.raises(trio.ClosedResourceError, match="this stack has stopped"):
            await stack.open_listener(7)
        for stream in (idle, orderly):
            await stream.aclose()


async def test_the_host_loses_its_power(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        await ends.client.reboot()
        cause = await breaks(ends.ours.receive_some)
        assert isinstance(cause, ConnectionAborted)
        assert cause.errno == errno.ECONNABORTED
        assert str(cause) == "the host was rebooted in ESTABLISHED"


async def test_closed_is_not_broken(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """What this side did itself is ClosedResourceError, whatever the peer does."""
    async with connected(usertcp_network) as ends:
        await ends.ours.send_eof()
        ends.theirs.abort()
        await trio.sleep(1)
        with pytest.raises(trio.ClosedResourceError, match="send_eof"):
            await ends.ours.send_all(b"x")
        await ends.ours.aclose()
        for operation in (
            ends.ours.receive_some,
            lambda: ends.ours.send_all(b"x"),
            ends.ours.send_eof,
            ends.ours.wait_send_all_might_not_block,
        ):
            with pytest.raises(trio.ClosedResourceError, match="this stream was closed"):
                await operation()


@pytest.mark.parametrize("stays", [False, True])
async def test_what_came_before_a_reset(usertcp_network: Opener, autojump_clock: MockClock, stays: bool) -> None:
    """It is gone (RFC 9293 §3.10.7.4), or, if that is asked for, still there, as on a kernel's socket."""
    async with connected(usertcp_network, usertcp.Settings(unread_stays=stays)) as ends:
        await ends.theirs.send_all(b"last words")
        await trio.sleep(1)
        ends.theirs.abort()
        await trio.sleep(1)
        if stays:
            assert await ends.ours.receive_some() == b"last words"
        assert str(await breaks(ends.ours.receive_some)) == "reset by peer in ESTABLISHED"


async def test_a_broken_stream_cannot_be_ended_in_good_order(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends:
        ends.theirs.abort()
        await trio.sleep(1)
        assert str(await breaks(ends.ours.send_eof)) == "reset by peer in ESTABLISHED"


async def test_an_error_can_be_met_any_number_of_times(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """And does not grow by that: its traceback is only that of the last time."""
    async with connected(usertcp_network) as ends:
        ends.theirs.abort()
        lengths = []
        for _ in range(10):
            traceback = (await breaks(ends.ours.receive_some)).__traceback__
            length = 0
            while traceback is not None:
                traceback, length = traceback.tb_next, length + 1
            lengths.append(length)
        assert lengths[0] == lengths[-1]


@pytest.mark.parametrize(
    "error", [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TcpError)]
)
def test_each_error_is_an_oserror_with_a_number(error: type[TcpError]) -> None:
    raised = error("what happened")
    assert isinstance(raised, OSError)
    assert str(raised) == "what happened"
    assert raised.errno in errno.errorcode
    builtin = OSError(raised.errno, "")
    assert isinstance(raised, type(builtin))
