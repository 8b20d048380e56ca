"""Networks of hosts as trio programs see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

import usertcp
from usertcp.sim.selection import kinds_of
from usertcp.tcp.errors import ConnectionAborted, ConnectionRefused, ConnectionReset, ConnectionTimedOut
from usertcp.testing import (
    Burst,
    Conditions,
    Link,
    Network,
    NetworkHost,
    Nth,
    Tapped,
    open_network,
    seed_scheduling,
)

FAST = Conditions(delay=0.01)
V6 = "fd00::1"


async def echo(stream: trio.abc.HalfCloseableStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def serve(host: NetworkHost, port: int = 7) -> None:
    host.start_soon(trio.serve_listeners, echo, [await host.open_listener(port)])


class Pair:
    """A client, a server that echoes on port 7, and the link between them."""

    def __init__(self, network: Network, client: NetworkHost, server: NetworkHost, link: Link) -> None:
        self.network = network
        self.client = client
        self.server = server
        self.link = link
        self.packets: list[Tapped] = []
        network.tap(self.packets.append)

    def fates(self) -> list[str]:
        return [tapped.fate for tapped in self.packets]


@asynccontextmanager
async def pair(
    there: Conditions = FAST, back: Conditions | None = None, *, seed: int = 0, settings: usertcp.Settings | None = None
) -> AsyncIterator[Pair]:
    async with open_network(seed=seed) as network:
        client = await network.add_host("client", "10.0.0.2", "fd00::2", settings=settings)
        server = await network.add_host("server", "10.0.0.1", V6, settings=settings)
        link = network.link(client, server, there, back)
        await serve(server)
        yield Pair(network, client, server, link)


async def exchange(stream: trio.abc.HalfCloseableStream, data: bytes) -> bytes:
    """Send, close, and receive what comes back."""
    got = bytearray()

    async def send() -> None:
        await stream.send_all(data)
        await stream.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        async for piece in stream:
            got += piece
    return bytes(got)


@pytest.mark.parametrize("address", ["10.0.0.1", V6])
async def test_a_handshake_and_an_exchange(address: str, autojump_clock: MockClock) -> None:
    async with pair() as net, await net.client.open_stream(address, 7) as stream:
        assert trio.current_time() == pytest.approx(0.02)
        assert await exchange(stream, b"hello") == b"hello"


async def test_each_direction_has_its_own_conditions(autojump_clock: MockClock) -> None:
    async with pair(Conditions(delay=0.1), Conditions(delay=0.5)) as net:
        await net.client.open_stream("10.0.0.1", 7)
        assert trio.current_time() == pytest.approx(0.6)


EVERYTHING = Conditions(
    loss=0.03, burst=Burst(0.01, 2), corrupt=0.03, duplicate=0.05, delay=0.01, jitter=0.005, reorder=0.1, rate=1e7
)


def packets_of_a_run(seed: int) -> list[Tapped]:
    """Several tasks on a bad link."""

    async def main() -> list[Tapped]:
        async with pair(EVERYTHING, seed=seed) as net:

            async def one(data: bytes) -> None:
                async with await net.client.open_stream("10.0.0.1", 7) as stream:
                    assert await exchange(stream, data) == data

            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(one, bytes([number]) * 20_000)
            return net.packets

    with seed_scheduling(seed) as seeded:
        assert seeded
        return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_the_same_seed_gives_the_same_packets() -> None:
    first = packets_of_a_run(42)
    assert len(first) > 100
    assert first == packets_of_a_run(42)
    assert first != packets_of_a_run(43)


async def test_a_tap_sees_what_becomes_of_a_packet(autojump_clock: MockClock) -> None:
    async with pair(Conditions(delay=0.01, drop=(Nth("syn", 1),)), FAST) as net:
        await net.client.open_stream("10.0.0.1", 7)
        syn = net.packets[0]
        assert (syn.sender, syn.receiver, syn.fate, kinds_of(syn.packet)) == ("client", "server", "dropped", ["syn"])
        assert net.fates()[1:] == ["", "", ""]
        assert net.link.there.counts == {"dropped": 1}


async def test_a_tap_is_told_why_a_packet_is_sent(autojump_clock: MockClock) -> None:
    async with pair(Conditions(delay=0.01, drop=(Nth("syn", 1),)), FAST) as net:
        await net.client.open_stream("10.0.0.1", 7)
        syn, again, syn_ack, _ = net.packets
        assert syn.reasons[0] == "connection 1 begins: we open it"
        assert syn.reasons[1].startswith("CLOSED → SYN-SENT: active OPEN (RFC 9293 §3.10.1): ")
        assert "sent again, attempt 1: retransmission timeout" in again.reasons
        assert again.reasons[-1].startswith("SYN-SENT · cwnd ")
        assert (syn_ack.sender, syn_ack.reasons[0]) == ("server", "connection 1 begins: the peer opens it")
        await net.server.reboot()
        net.packets.clear()
        with pytest.raises(ConnectionRefused):
            await net.client.open_stream("10.0.0.1", 7)
        begun = [tapped.reasons[0] for tapped in net.packets if tapped.sender == "client"]
        assert "connection 2 begins: we open it" in begun
        resets = [tapped for tapped in net.packets if tapped.sender == "server"]
        assert resets[-1].reasons[-1] == "the answer to a segment of no connection (RFC 9293 §3.10.7.1)"


async def test_nobody_is_there(autojump_clock: MockClock) -> None:
    async with pair() as net:
        with pytest.raises(ConnectionRefused):
            await net.client.open_stream("10.0.0.1", 8)
        net.packets.clear()
        with pytest.raises(ConnectionTimedOut):
            await net.client.open_stream("10.0.0.9", 7)
        assert set(net.fates()) == {"no link"}


# -- What is changed while it runs ----------------------------------------------------------------------


async def test_a_partition_that_heals(autojump_clock: MockClock) -> None:
    async with pair() as net, await net.client.open_stream("10.0.0.1", 7) as stream:
        net.link.partition()
        await stream.send_all(b"hello")
        await trio.sleep(300)
        assert set(net.fates()[-3:]) == {"partition"}
        net.link.heal()
        assert await stream.receive_some() == b"hello"


async def test_a_partition_for_too_long(autojump_clock: MockClock) -> None:
    async with pair() as net, await net.client.open_stream("10.0.0.1", 7) as stream:
        net.link.partition()
        await stream.send_all(b"hello")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionTimedOut)
        assert 900 < trio.current_time() < 1000


async def test_a_rate_of_zero_for_an_hour(autojump_clock: MockClock) -> None:
    patient = usertcp.Settings(r2=10_000)
    async with pair(settings=patient) as net, await net.client.open_stream("10.0.0.1", 7) as stream:
        net.link.change(Conditions(delay=0.01, rate=0))
        await stream.send_all(b"hello")
        with trio.move_on_after(3600):
            await stream.receive_some()
            pytest.fail("something came through")
        net.link.change(FAST)
        assert await stream.receive_some() == b"hello"
        assert trio.current_time() == pytest.approx(3600.04, abs=0.01)


async def test_a_host_that_reboots(autojump_clock: MockClock) -> None:
    """RFC 9293 §3.5.1: the host that knows of no connection answers with a RST."""
    async with pair() as net, await net.client.open_stream("10.0.0.1", 7) as stream:
        await trio.sleep(1)
        sent = len(net.packets)
        await net.server.reboot()
        await trio.sleep(1000)
        assert len(net.packets) == sent
        await stream.send_all(b"hello")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionReset)
        with pytest.raises(ConnectionRefused):
            await net.client.open_stream("10.0.0.1", 7)
        await serve(net.server)
        async with await net.client.open_stream("10.0.0.1", 7) as again:
            assert await exchange(again, b"again") == b"again"


async def test_streams_and_listeners_of_a_host_that_reboots(autojump_clock: MockClock) -> None:
    async with pair() as net:
        stream = await net.client.open_stream("10.0.0.1", 7)
        listener = await net.client.open_listener(80)

        async def reads() -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionAborted)
            assert str(caught.value) == "the host was rebooted in ESTABLISHED"

        async def accepts() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reads)
            nursery.start_soon(accepts)
            await trio.testing.wait_all_tasks_blocked()
            net.packets.clear()
            await net.client.reboot()
        await stream.aclose()
        assert net.packets == []
        assert net.client.stack.open_connections == 0


async def test_programs_end_with_their_host(autojump_clock: MockClock) -> None:
    async with pair() as net:
        ended = trio.Event()

        async def program() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.set()

        net.client.start_soon(program)
        await trio.testing.wait_all_tasks_blocked()
        await net.client.reboot()
        await ended.wait()


async def test_a_program_that_reboots_its_own_host(autojump_clock: MockClock) -> None:
    async with pair() as net:
        net.server.start_soon(net.server.reboot)
        await trio.testing.wait_all_tasks_blocked()
        await serve(net.server)
        async with await net.client.open_stream("10.0.0.1", 7) as stream:
            assert await exchange(stream, b"hello") == b"hello"


@pytest.mark.parametrize("address", ["10.0.0.1", V6])
@pytest.mark.parametrize("silently", [False, True])
async def test_a_path_mtu_that_shrinks(address: str, silently: bool, autojump_clock: MockClock) -> None:
    data = bytes(range(256)) * 4000
    async with pair(Conditions(delay=0.01, rate=1e7)) as net, await net.client.open_stream(address, 7) as stream:

        async def shrinks() -> None:
            await trio.sleep(0.3)
            net.link.limit_mtu(1300, silently=silently)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(shrinks)
            assert await exchange(stream, data) == data
        assert net.link.there.counts["too big"] > 0
        assert stream.connection.path_mtu <= 1300
        assert any(tapped.sender == "router" for tapped in net.packets) != silently


async def test_changes_that_make_no_sense() -> None:
    async with open_network() as network:
        one = await network.add_host("one", "10.0.0.1")
        other = await network.add_host("other", "10.0.0.2")
        link = network.link(one, other)
        with pytest.raises(ValueError, match="68 bytes"):
            link.limit_mtu(67)
        with pytest.raises(ValueError, match="joined"):
            network.link(other, one)
        with pytest.raises(ValueError, match="joined"):
            network.link(one, one)
        with pytest.raises(ValueError, match="a host 'one' already"):
            await network.add_host("one", "10.0.0.3")
        with pytest.raises(ValueError, match=r"has 10\.0\.0\.1 already"):
            await network.add_host("third", "10.0.0.1")
        with pytest.raises(ValueError, match="68 bytes"):
            await network.add_host("narrow", "10.0.0.9", mtu=67)
        with pytest.raises(ValueError, match="needs an address"):
            await network.add_host("third")


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with open_network():
            raise KeyError


async def test_what_a_program_on_a_host_raises(autojump_clock: MockClock) -> None:
    async def fails() -> None:
        raise KeyError

    with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesGroup(KeyError))):
        async with pair() as net:
            net.client.start_soon(fails)
            await trio.sleep(1)

    with pytest.RaisesGroup(ValueError, pytest.RaisesGroup(pytest.RaisesGroup(KeyError))):
        async with pair() as net:
            net.client.start_soon(fails)
            raise ValueError


async def test_the_end_of_a_network_is_felt(autojump_clock: MockClock) -> None:
    """Nobody who holds a stream waits for ever."""
    async with pair() as net:
        stream = await net.client.open_stream("10.0.0.1", 7)
    with pytest.raises(trio.BrokenResourceError, match="the network is gone"):
        await stream.receive_some()
    await stream.aclose()


async def test_a_packet_that_may_be_divided_is(autojump_clock: MockClock) -> None:
    """A ping of 1,000 bytes over a path of 500: the router divides it, and the host puts it together."""
    from usertcp.wire import icmp, ipv4

    async with pair() as net:
        net.link.limit_mtu(500)
        body = icmp.emit_v4(icmp.Echo(False, 1, 1, bytes(1000)))
        source, destination = net.client.raw_addresses[0], net.server.raw_addresses[0]
        packet = ipv4.emit(ipv4.Header(source, destination, 1, identification=7), len(body)) + body
        net.client.stack.device.send((packet,))
        await trio.sleep(1)
        assert net.link.there.counts == {"fragmented": 1}
        assert net.server.stats()["device-packets-received"] == 3
        assert [tapped.sender for tapped in net.packets] == ["client", "server"]
