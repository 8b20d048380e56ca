"""One host, sans-IO: connections, listeners, and the tables that find them.

Packets come in at :meth:`Host.packet_arrives`, time at :meth:`Host.run_timers`, user calls at the
connections and at :meth:`Host.connect` and :meth:`Host.listen`.  After each of these (or after a batch
of them) :meth:`Host.flush` lets every connection that was touched put out what it may; then
:attr:`Host.outbox` holds the packets to write, and :attr:`Host.woken` the connections whose application
should look again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from usertcp.stack import backlog as backlogs
from usertcp.stack import icmp_handling, ingress, loopback, numbers, strays
from usertcp.stack.counters import Counters
from usertcp.stack.errors import AddressInUse, InvalidRemoteAddress, NotOurAddress
from usertcp.stack.fast_open import CookieCache, Server
from usertcp.stack.keys import key_of
from usertcp.stack.listener import Listener
from usertcp.stack.path_mtu import PathMtuCache
from usertcp.stack.ratelimit import RateLimiter
from usertcp.stack.reassembly import Reassembler
from usertcp.stack.time_waits import TimeWaits, acknowledgment
from usertcp.stack.timer_queue import TimerQueue
from usertcp.tcp import fast_open, time_wait
from usertcp.tcp.connection import Connection
from usertcp.tcp.errors import ConnectionTimedOut, HostUnreachable
from usertcp.tcp.events import SEGMENT_OUT, Kind, Sink, segment_in
from usertcp.tcp.outlet import Outlet
from usertcp.tcp.reset import reset_for
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import TIME_WAIT, Event
from usertcp.tcp.time_wait import TimeWait
from usertcp.wire import udp
from usertcp.wire.buffer import Buffer
from usertcp.wire.frame import FrameTemplate
from usertcp.wire.option_layout import LAYOUTS
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, FIN, NO_OPTIONS, RST, SYN, Options, Segment

#: How far behind an earlier connection's sequence the next one starts at least: one unscaled window.


class Datagrams(Protocol):
    """Takes UDP datagrams on a host (which has no UDP of its own, but says what port is unreachable)."""

    def datagram_arrives(self, src: bytes, dst: bytes, header: udp.Header, payload: bytes, packet: memoryview) -> bool:
        """A datagram whose checksum is right, and the IP packet that it came in; False: it is for nobody here."""
        ...


@dataclass(frozen=True, slots=True)
class HostConfig:
    """How a host behaves.  Rates are per second."""

    settings: Settings = field(default_factory=Settings)
    #: RSTs for segments of no connection, and ICMP messages (RFC 4443 §2.4(f)).
    reset_rate: float = 1000.0
    reset_burst: int = 1000
    icmp_rate: float = 1000.0
    icmp_burst: int = 1000
    #: Fragments that wait for the rest, in bytes and in datagrams.
    reassembly_bytes: int = 4 << 20
    reassembly_datagrams: int = 256
    #: Out-of-order data of all connections together, in bytes.
    out_of_order_bytes: int = 64 << 20
    #: Connections whose application is gone and that have not ended; one more is reset.
    max_orphans: int = 65536
    #: Connections of all kinds; a SYN beyond it is dropped.
    max_connections: int = 1 << 20
    #: Answer SYNs beyond a listener's backlog with cookies (RFC 4987 §3.6); else drop them.
    syn_cookies: bool = True
    #: What is not answered on TCP ports where nobody listens: "none": all is answered by a RST (RFC 9293 §3.10.7.1),
    #: "syn": no SYN is, "all": nothing is.
    silent_ports: str = "none"
    #: Datagrams for UDP ports where nobody listens get no ICMP message.
    silent_udp_ports: bool = False
    #: Servers whose Fast Open cookies are remembered, and as many where it failed.
    fast_open_servers: int = 1024
    #: For how many seconds Fast Open is not tried with a server that did not like it; 0: it is tried all the same.
    fast_open_penalty: float = 3600.0
    #: A server that gives no cookie is asked next time by the option of the former experiment.
    fast_open_experiment: bool = False
    #: What the cookies are made with that we give as a server, the present key first, each of 16 bytes; (): a
    #: secret of our own, and others each few hours.
    fast_open_keys: tuple[bytes, ...] = ()


class Host(Outlet):
    """A host with ``addresses`` (4 or 16 bytes each) on one link.

    ``offload``: packets in both directions begin with a virtio_net_hdr (:mod:`usertcp.wire.virtio`), and
    super-segments are allowed.  ``secret``: at least 16 random bytes, new for each run.
    """

    def __init__(
        self,
        addresses: Sequence[bytes],
        *,
        secret: bytes,
        mtu: int = 1500,
        offload: bool = False,
        config: HostConfig | None = None,
        trace: Sink | None = None,
    ) -> None:
        self.addresses = tuple(addresses)
        self.address_set = frozenset(addresses)
        #: Whether loopback addresses are its own, too, and what it says to itself is heard; its driver delivers it
        #: (:func:`usertcp.stack.loopback.deliver`).
        self.loopback = False
        #: One object for each address: a connection does not keep the slice of the packet that opened it.
        self._own = {address: address for address in addresses}
        self.secret = secret
        self.mtu = mtu
        self.offload = offload
        self.config = config or HostConfig()
        self.trace = trace
        self.stats = Counters()
        self.connections: dict[bytes, Connection] = {}
        self.listeners: dict[tuple[int, bytes | None], Listener] = {}
        #: Packets to write, each as buffers to be joined.
        self.outbox: deque[tuple[Buffer, ...]] = deque()
        #: Connections whose ``pending`` became non-zero since somebody emptied this list.
        self.woken: list[Connection] = []
        #: Listeners whose ``pending`` was set since somebody emptied this list.
        self.woken_listeners: list[Listener] = []
        self.timers = TimerQueue()
        self.path_mtus = PathMtuCache(mtu)
        self.resets = RateLimiter(self.config.reset_rate, self.config.reset_burst)
        self.icmp = RateLimiter(self.config.icmp_rate, self.config.icmp_burst)
        self.reassembler = Reassembler(
            self.stats.count, max_bytes=self.config.reassembly_bytes, max_datagrams=self.config.reassembly_datagrams
        )
        #: What is left of connections that wait out 2 MSL.
        self.time_waits = TimeWaits()
        self.out_of_order_bytes = 0
        self.out_of_order_limit = self.config.out_of_order_bytes
        self.orphans = 0
        self._touched: list[Connection] = []
        #: Touched, and held back from :meth:`flush`.
        self._held: set[Connection] = set()
        #: What is known of servers that may take data with a SYN.
        self.fast_open_servers = CookieCache(self.config.fast_open_servers, self.config.fast_open_penalty)
        #: Who takes UDP datagrams.
        self.datagrams: Datagrams | None = None
        #: Is told of each new connection after its `opened` event, where somebody traces; as a sink, it must be
        #: quick, must not raise and must not call back.
        self.opened: Callable[[Connection], None] | None = None
        #: The initial sequence number of the next connection, for programs that want to know it; None: see new_iss.
        self.next_isn: int | None = None
        self._last_number = 0
        self._connects = 0
        self._fragmented = 0

    # -- The ways in ----------------------------------------------------------------------------------

    def packet_arrives(self, packet: Buffer, now: float) -> None:
        """One packet from the link, with its virtio_net_hdr where ``offload`` is on.  Never raises."""
        ingress.packet_arrives(self, packet, now)

    def run_timers(self, now: float) -> None:
        """Act on all timers that are due."""
        for connection in self.timers.due(now):
            connection.run_timers(now)
            self.timers.watch(connection)
        self._end_time_waits(now)
        if self.reassembler.deadline() <= now:
            icmp_handling.reassembly_timed_out(self, now)

    def deadline(self) -> float:
        """When :meth:`run_timers` is needed next (``inf``: never)."""
        due, ends, expires = self.timers.deadline(), self.time_waits.next_end(), self.reassembler.deadline()
        if ends < due:
            due = ends
        return expires if expires < due else due

    def flush(self, now: float) -> None:
        """Let each touched connection put out what it may."""
        touched = self._touched
        while touched:
            self._touched = []
            for connection in touched:
                connection.touched = False
                connection.put_out(now)
                if connection.state is TIME_WAIT:
                    self._begin_time_wait(connection)
                self.timers.watch(connection)
            touched = self._touched

    def hold(self, connection: Connection) -> None:
        """Let :meth:`flush` leave ``connection``, which was touched, alone until :meth:`let_out`."""
        if connection not in self._held:
            self._touched.remove(connection)
            self._held.add(connection)

    def let_out(self, connection: Connection) -> bool:
        """End :meth:`hold` for ``connection``; False where it was not held."""
        if connection not in self._held:
            return False
        self._held.remove(connection)
        self._touched.append(connection)
        return True

    def listen(
        self,
        port: int,
        *,
        address: bytes | None = None,
        backlog: int = 128,
        settings: Settings | None = None,
        fast_open: int = 0,
    ) -> Listener:
        """Answer SYNs for ``port`` (1..65535) on ``address``, or on all of the host's.

        ``settings`` are those of its connections, where they differ from the host's.
        ``fast_open``: accept up to so many connections whose handshake is not over yet, if their SYN brought
        data (RFC 7413 §4.2).  Only for services that can bear to get the same request twice (§6.1).

        Raises AddressInUse, NotOurAddress.
        """
        if address is not None and not self.is_own(address):
            raise NotOurAddress("that address is not one of this host's")
        if (port, address) in self.listeners:
            raise AddressInUse(f"port {port} has a listener already")
        listener = Listener(self, port, address, backlog, settings, fast_open)
        self.listeners[port, address] = listener
        return listener

    def connect(
        self,
        remote_address: bytes,
        remote_port: int,
        now: float,
        *,
        local_address: bytes | None = None,
        local_port: int | None = None,
        settings: Settings | None = None,
        data: bytes = b"",
        with_syn: bool = False,
    ) -> Connection:
        """Active OPEN; the SYN goes out at the next :meth:`flush`.

        ``data`` is sent first, and with the SYN where the server allows it (RFC 7413); it may then reach the
        server's application twice (§6.1).  ``with_syn``: of ``data`` only what goes with the SYN is taken at all
        (the connection's send buffer tells how much), and a server whose cookie is not known is asked for one.

        Raises InvalidRemoteAddress where no host can be at ``remote_address``, NotOurAddress where the host has
        no address of that family, AddressInUse where no local port is free, ValueError where ``data`` is
        longer than the send buffer.
        """
        looped = self.is_own(remote_address) and self.loopback
        if not looped and not ingress.is_host_address(remote_address):  # RFC 9293 §3.9.1.1 (MUST-46)
            raise InvalidRemoteAddress("no connection leads to a broadcast, multicast, loopback or unspecified address")
        if len(data) > (settings or self.config.settings).send_buffer:
            raise ValueError("data is longer than the send buffer")
        local_address = self.source_for(remote_address) if local_address is None else local_address
        if not self.is_own(local_address):
            raise NotOurAddress("that address is not one of this host's")
        if not looped and loopback.is_loopback(local_address):
            raise NotOurAddress("a loopback address leads to nobody but this host")
        key, local_port = self._free_key(remote_address, remote_port, local_address, local_port)
        connection = self.new_connection(
            key, local_address, local_port, remote_address, remote_port, now, "active", settings
        )
        if (data or with_syn) and connection.settings.fast_open:
            server = self.fast_open_servers.find(_path(connection), now)
            if server is not None:
                fast_open.prepare(connection, server.cookie, server.mss, experiment=server.experiment)
        connection.open_active(now)
        if with_syn:
            data = data[: max(0, fast_open.syn_room(connection))]
        if data:
            connection.send(data, now)
        return connection

    def knows_cookie(self, remote_address: bytes, remote_port: int, now: float) -> bool:
        """Whether a cookie of that server is known (RFC 7413 §4.1.3)."""
        path = self.source_for(remote_address) + remote_address + remote_port.to_bytes(2, "big")
        server = self.fast_open_servers.find(path, now)
        return server is not None and bool(server.cookie)

    # -- What ingress finds ---------------------------------------------------------------------------

    def segment_arrives(self, key: bytes, src: bytes, dst: bytes, segment: Segment, now: float) -> None:
        """A TCP segment with a right checksum, for one of our addresses."""
        connection = self.connections.get(key)
        if connection is not None:
            connection.segment_arrives(segment, now)
            return
        waiting = self.time_waits.get(key)
        if waiting is None:
            self._no_connection(key, src, dst, segment, now)
            return
        if self._gives_way(waiting, segment, dst, now):
            self._no_connection(key, src, dst, segment, now, iss_after=waiting.snd_nxt)
            return
        if self.trace is not None:
            self.trace(segment_in(waiting.number, segment, waiting.snd_wscale, now))
        time_wait.segment_arrives(waiting, segment, self, now)

    def _no_connection(
        self, key: bytes, src: bytes, dst: bytes, segment: Segment, now: float, iss_after: int = 0
    ) -> None:
        """RFC 9293 §3.10.7.1 and, where somebody listens, §3.10.7.2."""
        listener = self.listener_for(segment.dst_port, dst)
        flags = segment.flags
        if listener is None or flags & (ACK | RST):
            if (
                listener is not None
                and flags & (SYN | ACK | RST) == ACK
                and backlogs.ack_arrives(self, listener, key, src, dst, segment, now)
            ):
                return
            strays.refused(self, src, dst, segment, "no-connection", "3.10.7.1", now)
            silent = self.config.silent_ports
            if listener is not None or silent == "none" or (silent == "syn" and not flags & SYN):
                self.reset_unknown(src, dst, segment, now)
        elif flags & FIN and self.config.settings.drop_syn_fin:
            strays.refused(self, src, dst, segment, "no-ack", "3.10.7.2", now)
        elif flags & SYN:
            backlogs.syn_arrives(self, listener, key, src, dst, segment, now, iss_after)
        else:
            strays.refused(self, src, dst, segment, "no-ack", "3.10.7.2", now)

    def listener_for(self, port: int, address: bytes) -> Listener | None:
        """Who answers SYNs for this socket."""
        return self.listeners.get((port, address)) or self.listeners.get((port, None))

    def _gives_way(self, waiting: TimeWait, segment: Segment, dst: bytes, now: float) -> bool:
        """TIME-WAIT ends for a SYN beyond all its numbers, if somebody listens."""
        if segment.flags & (SYN | ACK | RST) != SYN:
            return False
        if not time_wait.gives_way(waiting, segment, timestamps=self.config.settings.timestamps):
            return False
        if self.listener_for(segment.dst_port, dst) is None:
            return False
        time_wait.leave(waiting, Event.RCV_NEW_SYN, self, now)
        return True

    def reset_unknown(self, src: bytes, dst: bytes, segment: Segment, now: float) -> None:
        """The RST of §3.10.7.1, at a bounded rate."""
        reset = reset_for(segment)
        if reset is None:
            return
        if not self.resets.allow(now):
            self.count("resets-held-back")
            return
        self.count("resets-sent")
        strays.reset_left(self, src, dst, segment, reset, now)
        settings = self.config.settings
        there = (dst, src, segment.dst_port, segment.src_port)
        label = numbers.flow_label(self.secret, *there)
        template = FrameTemplate(*there, ttl=settings.ttl, flow_label=label, offload=self.offload)
        tos = settings.traffic_class
        self.outbox.append(template.build(reset.seq, reset.ack, reset.flags, 0, 0, None, None, NO_OPTIONS, b"", 1, tos))

    # -- Connections' outlet (see usertcp.tcp.outlet) --------------------------------------

    def transmit(
        self,
        connection: Connection,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        ts_val: int | None,
        ts_ecr: int,
        options: Options,
        payload: Buffer,
        now: float,
        ecn: int = 0,
        urgent: int = 0,
    ) -> None:
        """Frame one (super-)segment."""
        trace = self.trace
        if trace is not None and not connection.number:
            strays.cookie_left(self, connection, (seq, ack, flags, window), ts_val, ts_ecr, options, now)
        elif trace is not None:
            length = len(payload)
            scale = 0 if flags & SYN else connection.rcv_wscale
            segments = -(-length // connection.segment_size) or 1
            trace(
                (
                    SEGMENT_OUT,
                    now,
                    connection.number,
                    seq,
                    ack,
                    flags,
                    window << scale,
                    length,
                    ts_val,
                    None if ts_val is None else ts_ecr,
                    options,
                    segments,
                    urgent,
                    ecn,
                    scale,
                )
            )
        size, tos = connection.segment_size, connection.traffic_class | ecn
        template = connection.template
        assert template is not None
        self.outbox.append(template.build(seq, ack, flags, window, urgent, ts_val, ts_ecr, options, payload, size, tos))

    def count(self, name: str, by: int = 1) -> None:
        """Raises KeyError for a name that is not in :data:`usertcp.stack.counters.NAMES`."""
        self.stats.count(name, by)

    def touched(self, connection: Connection) -> None:
        """To be flushed."""
        self._touched.append(connection)

    def wake(self, connection: Connection) -> None:
        """To be looked at by its application."""
        self.woken.append(connection)

    def new_iss(self, connection: Connection, now: float) -> int:
        """RFC 9293 §3.4.1; beyond ``connection.iss`` where an earlier connection left that (§3.6.1, MAY-2)."""
        if self.next_isn is not None:
            chosen, self.next_isn = self.next_isn & MASK, None
            return chosen
        iss, after = numbers.initial_sequence_number(self.secret, connection.key, now), connection.iss
        if not after or 0 < (iss - after) & MASK < 0x80000000:
            return iss
        # The connection before sent faster than the clock of the ISN ticks.
        return (after + numbers.BEYOND_OLD_CONNECTION) & MASK

    def new_identification(self, src: bytes, dst: bytes) -> int:
        """For a datagram that may have to be fragmented."""
        self._fragmented += 1
        return numbers.fragment_identification(self.secret, src + dst, self._fragmented)

    def established(self, connection: Connection, now: float) -> None:
        """A child is ready to be accepted."""
        self.count("connections-established")
        listener = connection.listener
        if listener is None:
            return
        listener.fast_open.established(connection)
        if connection in listener.half_open:
            self.hand_over(connection)

    def hand_over(self, connection: Connection) -> None:
        """A child may be accepted."""
        listener = connection.listener
        listener.half_open.discard(connection)
        listener.ready.append(connection)
        if not listener.pending:
            listener.pending = True
            self.woken_listeners.append(listener)

    def path_mtu_found(self, connection: Connection, now: float) -> None:
        """For connections to the same address that begin later."""
        self.path_mtus.learn(connection.remote_address, connection.path_mtu, now)

    def orphaned(self, connection: Connection, now: float) -> None:
        """One more connection that only has to end."""
        self.orphans += 1
        if self.orphans > self.config.max_orphans:
            self.count("orphans-aborted")
            connection.abort(now, "one connection too many without an application")

    def deleted(self, connection: Connection, now: float) -> None:
        """Take it out of the tables."""
        if self.connections.get(connection.key) is connection:
            del self.connections[connection.key]
            self.orphans -= connection.is_orphan
        self.timers.forget(connection)
        waiting = self.time_waits.get(connection.key)
        if waiting is not None and waiting.connection is connection:
            self.forget(waiting)
        if connection.listener is not None:
            connection.listener.half_open.discard(connection)
            connection.listener.fast_open.deleted(connection, now)
            connection.listener = None
        if connection.fast_open is not None and _never_answered(connection):
            self.fast_open_servers.failed(_path(connection), now)

    def fast_open_cookie(self, connection: Connection, cookie: bytes) -> None:
        """RFC 7413 §4.1.3."""
        server = Server(cookie, connection.peer_mss, connection.fast_open_experiment)
        self.fast_open_servers.remember(_path(connection), server)

    def fast_open_unknown(self, connection: Connection) -> None:
        """The server knows nothing of the option that we asked with."""
        if self.config.fast_open_experiment:
            server = Server(b"", None, not connection.fast_open_experiment)
            self.fast_open_servers.remember(_path(connection), server)

    def fast_open_failed(self, connection: Connection) -> None:
        """RFC 7413 §4.1.3.1."""
        self.fast_open_servers.failed(_path(connection), connection.last_arrival)

    def forget_listener(self, listener: Listener) -> None:
        """It was closed."""
        self.listeners.pop((listener.port, listener.address), None)

    # -- TIME-WAIT (see usertcp.tcp.outlet) -------------------------------------------------

    def _begin_time_wait(self, connection: Connection) -> None:
        """Its last acknowledgment is out: only a few numbers stay."""
        if self.connections.get(connection.key) is not connection:
            return
        del self.connections[connection.key]
        self.orphans -= connection.is_orphan
        self.timers.forget(connection)
        self.time_waits.begin(TimeWait(connection, connection.last_window))

    def _end_time_waits(self, now: float) -> None:
        """RFC 9293 §3.10.8."""
        for waiting in self.time_waits.overdue(now):
            time_wait.leave(waiting, Event.TIME_WAIT_TIMEOUT, self, now)

    def acknowledge(self, waiting: TimeWait, now: float) -> None:
        """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> for the peer of a TIME-WAIT."""
        ts_val = None
        if waiting.timestamps:
            ts_val = (int(now * 1000) + waiting.ts_offset) & MASK
        if self.trace is not None:
            seq, ack, window = waiting.snd_nxt & MASK, waiting.rcv_nxt & MASK, waiting.window << waiting.rcv_wscale
            rest = (ts_val, None if ts_val is None else waiting.ts_recent, NO_OPTIONS, 1, 0, 0, waiting.rcv_wscale)
            self.trace((SEGMENT_OUT, now, waiting.number, seq, ack, ACK, window, 0, *rest))
        self.outbox.append(acknowledgment(waiting, ts_val, self.secret, offload=self.offload))

    def forget(self, waiting: TimeWait) -> None:
        """A TIME-WAIT has ended; the queue may keep its numbers for a while, but not the connection block."""
        del self.time_waits[waiting.key]
        waiting.connection = None

    def let_go(self, connection: Connection) -> None:
        """The application has no use any more for a connection in TIME-WAIT."""
        waiting = self.time_waits.get(connection.key)
        if waiting is not None and waiting.connection is connection:
            waiting.connection = None

    # -- Making connections ---------------------------------------------------------------------------

    def new_connection(
        self,
        key: bytes,
        local_address: bytes,
        local_port: int,
        remote_address: bytes,
        remote_port: int,
        now: float,
        role: str,
        settings: Settings | None,
    ) -> Connection:
        """A connection in CLOSED, known to the host; ``role`` is "active" or "passive"."""
        self._last_number += 1
        connection = self.connection_block(
            self._last_number, key, local_address, local_port, remote_address, remote_port, settings, now
        )
        self.connections[key] = connection
        self.count("connections-opened")
        if self.trace is not None:
            self.trace(
                (
                    Kind.OPENED,
                    now,
                    connection.number,
                    local_address,
                    local_port,
                    remote_address,
                    remote_port,
                    role,
                )
            )
            if self.opened is not None:
                self.opened(connection)
        return connection

    def connection_block(
        self,
        number: int,
        key: bytes,
        local_address: bytes,
        local_port: int,
        remote_address: bytes,
        remote_port: int,
        settings: Settings | None,
        now: float,
    ) -> Connection:
        """A connection in CLOSED that no table knows of."""
        path = self.path_mtus.get(remote_address, now)
        connection = Connection(
            self,
            number,
            self._own.get(local_address, local_address),
            local_port,
            remote_address,
            remote_port,
            settings=settings or self.config.settings,
            path_mtu=path.mtu,
            link_mtu=self.mtu,
            gso_max=0xFFFF if self.offload else 0,
            ts_offset=numbers.timestamp_offset(self.secret, local_address + remote_address),
        )
        connection.path.search_at = path.expires
        connection.key = key
        self.make_template(connection)
        return connection

    def make_template(self, connection: Connection) -> None:
        """The headers of its packets, from its settings as they are now."""
        local, remote = connection.local_address, connection.remote_address
        local_port, remote_port = connection.local_port, connection.remote_port
        connection.template = FrameTemplate(
            local,
            remote,
            local_port,
            remote_port,
            ttl=connection.settings.ttl,
            flow_label=numbers.flow_label(self.secret, local, remote, local_port, remote_port),
            offload=self.offload,
            layout=LAYOUTS[connection.settings.option_layout],
        )

    def is_own(self, address: bytes) -> bool:
        """Whether that is one of the host's addresses."""
        return address in self.address_set or (self.loopback and loopback.is_loopback(address))

    def source_for(self, remote_address: bytes) -> bytes:
        """Our address for what is sent there.  Raises NotOurAddress where we have none of that family."""
        if self.loopback and loopback.is_loopback(remote_address):
            return loopback.source_for(remote_address)
        for address in self.addresses:
            if len(address) == len(remote_address):
                return address
        family = "IPv4" if len(remote_address) == 4 else "IPv6"
        raise NotOurAddress(f"this host has no {family} address")

    def _free_key(
        self, remote_address: bytes, remote_port: int, local_address: bytes, local_port: int | None
    ) -> tuple[bytes, int]:
        if local_port is not None:
            key = key_of(remote_address, remote_port, local_address, local_port)
            if key in self.connections or key in self.time_waits:
                raise AddressInUse(f"a connection from port {local_port} to that peer exists already")
            return key, local_port
        self._connects += 1
        sockets = key_of(remote_address, remote_port, local_address, 0)
        for candidate in numbers.port_candidates(self.secret, sockets, self._connects):
            port = numbers.FIRST_PORT + candidate % numbers.PORTS
            key = key_of(remote_address, remote_port, local_address, port)
            if key in self.connections or key in self.time_waits:
                continue
            if self.listener_for(port, local_address) is None:
                return key, port
        raise AddressInUse("all local ports towards that peer are taken")


def _never_answered(connection: Connection) -> bool:
    """A client's SYN, that is."""
    unreachable = isinstance(connection.error, (ConnectionTimedOut, HostUnreachable))
    return unreachable and connection.snd_una == connection.iss and not connection.opened_passively


def _path(connection: Connection) -> bytes:
    """What Fast Open may depend on (RFC 7413 §4.1.3.1): both addresses and the server's port."""
    return connection.local_address + connection.remote_address + connection.remote_port.to_bytes(2, "big")
