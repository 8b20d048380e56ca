"""One end of a TCP connection: the variables of RFC 9293 §3.3.1 and the ways in.

A :class:`Connection` is the transmission control block.  It does no I/O and knows no clock: a segment, a
user call or a timer comes in with ``now`` (seconds of a monotonic clock), and what is to be sent goes to
its :class:`~.outlet.Outlet`.  What each way in does stands in a module of its own, to be read beside the RFC:

=====================  ==============================================
:mod:`.calls`          §3.10.1-§3.10.6, the user calls
:mod:`.arrival`        §3.10.7, SEGMENT ARRIVES
:mod:`.timeouts`       §3.10.8, timeouts
:mod:`.output`         what may be sent now, and why not more
=====================  ==============================================

Sequence numbers in it are unbounded integers (see :mod:`usertcp.wire.seq`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from usertcp.tcp import (
    acceptance,
    advertised_window,
    arrival,
    bursts,
    calls,
    keepalive,
    opening,
    output,
    path_mtu,
    sendable,
    timeouts,
)
from usertcp.tcp.ack_timing import AckTiming
from usertcp.tcp.congestion import registry
from usertcp.tcp.ecn import UNUSED
from usertcp.tcp.errors import IcmpMeaning, TcpError
from usertcp.tcp.events import Kind
from usertcp.tcp.fast_open import FastOpenOutcome
from usertcp.tcp.moments import LONG_AGO
from usertcp.tcp.path_mtu import Path
from usertcp.tcp.rack import Rack
from usertcp.tcp.receive_buffer import ReceiveBuffer
from usertcp.tcp.recovery import CALM
from usertcp.tcp.retransmission import OrderedQueue, RetransmissionQueue
from usertcp.tcp.rtt import make as make_estimator
from usertcp.tcp.send_buffer import SendBuffer
from usertcp.tcp.settings import DEFAULT, Settings
from usertcp.tcp.states import CLOSED, RECEIVE_CLOSED, Event, State, step
from usertcp.tcp.status import Status, status_of
from usertcp.tcp.told import Told
from usertcp.tcp.usage import Usage
from usertcp.tcp.wakeup import ENDED, READABLE, REPORTED, WRITABLE
from usertcp.wire.tcp import Buffer, Segment

if TYPE_CHECKING:
    from usertcp.tcp.congestion.base import CongestionControl
    from usertcp.tcp.outlet import Outlet
    from usertcp.wire.frame import FrameTemplate


class Connection:
    """A transmission control block; see the module's text.  Addresses are 4 or 16 bytes."""

    __slots__ = (
        "accept",
        "ack_due",
        "ack_now",
        "ack_timing",
        "app_limited",
        "at_risk_since",
        "blocked_on_room",
        "bytes_received",
        "bytes_sent",
        "challenge_after",
        "challenges",
        "close_queued",
        "congestion",
        "corked",
        "data_segments_received",
        "data_segments_sent",
        "deferred",
        "defers_bursts",
        "delivered",
        "delivered_at",
        "dsack",
        "dsacks",
        "dup_acks",
        "early",
        "ecn",
        "error",
        "fast_open",
        "fast_open_experiment",
        "fast_open_outcome",
        "fin_seq",
        "fin_wait_2_due",
        "gso_payload",
        "halves_bursts",
        "held_accounted",
        "irs",
        "is_orphan",
        "iss",
        "keepalive",
        "keepalive_due",
        "key",
        "largest_burst",
        "last_ack_sent",
        "last_arrival",
        "last_sent_at",
        "last_window",
        "limited",
        "linger",
        "listener",
        "local_address",
        "local_port",
        "loss_due",
        "loss_is_reordering",
        "loss_reported",
        "max_snd_wnd",
        "more",
        "nodelay",
        "number",
        "opened_passively",
        "out_of_order_segments",
        "outlet",
        "own_mss",
        "pace_at",
        "pace_due",
        "partial_end",
        "path",
        "path_mtu",
        "peer_mss",
        "pending",
        "probed_at",
        "probes",
        "probing",
        "push_ends",
        "pushed_end",
        "pushes_bursts",
        "rack",
        "rcv_adv",
        "rcv_buf",
        "rcv_fin",
        "rcv_mss",
        "rcv_nxt",
        "rcv_round_at",
        "rcv_rtt",
        "rcv_rtt_echo",
        "rcv_share",
        "rcv_taken",
        "rcv_up",
        "rcv_wscale",
        "receive_buffer",
        "receive_shut",
        "record_ends",
        "recovery",
        "released",
        "remote_address",
        "remote_port",
        "resent_bytes",
        "resent_segments",
        "resent_since",
        "retransmissions",
        "retransmit_due",
        "rtt",
        "rtx",
        "sack_ok",
        "sack_recent",
        "scaling",
        "scheduled_as",
        "scheduled_at",
        "segment_size",
        "segments_received",
        "segments_sent",
        "send_buffer",
        "sendable",
        "settings",
        "snd_mss",
        "snd_nxt",
        "snd_una",
        "snd_up",
        "snd_wl1",
        "snd_wl2",
        "snd_wnd",
        "snd_wscale",
        "soft_error",
        "soft_error_at",
        "state",
        "sws_override",
        "syns_sent",
        "template",
        "time_wait_due",
        "timeouts_in_row",
        "timestamps",
        "told",
        "touched",
        "traffic_class",
        "ts_offset",
        "ts_recent",
        "ts_recent_at",
        "unacked_bytes",
        "unread_lost",
        "usage",
        "user",
        "user_timeout",
        "window_bounds",
        "window_rule",
        "window_sent_at",
    )

    def __init__(
        self,
        outlet: Outlet,
        number: int,
        local_address: bytes,
        local_port: int,
        remote_address: bytes = b"",
        remote_port: int = 0,
        *,
        settings: Settings = DEFAULT,
        path_mtu: int = 1500,
        link_mtu: int | None = None,
        gso_max: int = 0,
        ts_offset: int = 0,
    ) -> None:
        """A connection in CLOSED.

        ``path_mtu``: the largest packet to the peer, in bytes; ``link_mtu``: the same of our own link,
        where it is another.  ``gso_max``: the largest payload that the
        outlet takes at once and has cut into segments; 0 where it takes single segments only.
        ``ts_offset``: where this connection's timestamps begin (RFC 7323 §5.4).
        """
        self.outlet = outlet
        self.number = number
        self.settings = settings
        self.local_address = local_address
        self.local_port = local_port
        self.remote_address = remote_address
        self.remote_port = remote_port
        self.key = b""
        self.template: FrameTemplate | None = None
        self.listener: Any = None
        #: What a watcher was told last; None where nobody watches.
        self.told: Told | None = None
        #: The application's own handle; the core never looks at it.
        self.user: Any = None
        self.pending = 0
        self.touched = False
        self.scheduled_as = 0
        self.scheduled_at = inf

        self.state = CLOSED
        self.opened_passively = False
        #: The Fast Open option of our SYN or SYN,ACK; None: there is none.
        self.fast_open: bytes | None = None
        #: In the form of the former experiment (RFC 7413 appendix A).
        self.fast_open_experiment = False
        self.fast_open_outcome = FastOpenOutcome.NONE
        #: The peer's SYN brought a right cookie: data flows in SYN-RECEIVED already (RFC 7413 §4.2.2).
        self.early = False
        #: The ACK that would have ended the handshake came without data and was passed over (Settings.defer_accept).
        self.deferred = False
        self.error: TcpError | None = None
        #: The last soft error, and when it was reported (see :meth:`report`).
        self.soft_error = ""
        self.soft_error_at = LONG_AGO
        self.close_queued = False
        #: The application is gone: it will neither read nor write again.
        self.released = False
        #: Counted by the host among those that only have to end.
        self.is_orphan = False
        #: What was received was thrown away unread, which the peer is to learn of when our FIN is acknowledged.
        self.unread_lost = False
        #: The application will not read, but may still write: what this means says :attr:`Settings.reset_late_data`.
        self.receive_shut = False
        #: What :meth:`release` does with data that is not acknowledged: None: keep trying; 0: throw it
        #: away with a RST; else keep trying for so many seconds (as SO_LINGER).
        self.linger: float | None = None
        self.user_timeout: float | None = settings.user_timeout
        #: The Differentiated Services field, as in :attr:`Settings.traffic_class`; may be changed at any time.
        self.traffic_class = settings.traffic_class

        # Send sequence variables (§3.3.1)
        self.iss = 0
        self.snd_una = 0
        #: Where urgent data of ours ends: the sequence number after its last (RFC 6093 §4).
        self.snd_up = 0
        self.snd_nxt = 0
        self.snd_wnd = 0
        self.snd_wl1 = 0
        self.snd_wl2 = 0
        self.max_snd_wnd = 0
        self.snd_wscale = 0
        #: The sequence number of our FIN, once it is sent.
        self.fin_seq: int | None = None
        self.send_buffer = SendBuffer(0)
        self.rtx = OrderedQueue() if settings.window_unit == "segment" else RetransmissionQueue()
        self.nodelay = settings.nodelay
        #: What is not a full segment waits (TCP_CORK); the last :meth:`send` announced more.
        self.corked = False
        self.more = False
        #: Where the last segment ended that was not full.
        self.partial_end = 0
        #: Where PSH is due, and where it was decided to be due last (``push_super_segments`` only).
        self.push_ends: list[int] | None = None
        self.pushed_end = 0
        # How much leaves in one go (see sendable, bursts)
        self.sendable = sendable.RULES[settings.nagle]
        self.largest_burst = bursts.RULES[settings.super_segments]
        self.halves_bursts = settings.super_segments == "paced"
        self.defers_bursts = settings.tso_window_divisor > 0
        self.pushes_bursts = settings.push_super_segments
        #: Where segments must end, and data that was not sent follows or may follow.
        self.record_ends: list[int] | None = None
        self.blocked_on_room = False

        # Receive sequence variables
        self.irs = 0
        self.rcv_nxt = 0
        #: The right edge of the window that the peer was promised; it never moves left.
        self.rcv_adv = 0
        self.rcv_wscale = 0
        self.rcv_up: int | None = None
        #: The sequence number of the peer's FIN, once it is known.
        self.rcv_fin: int | None = None
        self.last_ack_sent = 0
        #: The window field of our last segment.
        self.last_window = 0
        self.receive_buffer = ReceiveBuffer(settings.max_gaps)
        self.held_accounted = 0
        # How large it may become now, and what its growth is decided by (see receive_window)
        self.rcv_buf = min(settings.initial_receive_buffer, settings.receive_buffer)
        #: How much of it the window may take, in 256ths; the rest is for what packets need besides their payload.
        self.rcv_share = int(settings.window_space_ratio * advertised_window.WHOLE)
        self.window_rule = advertised_window.RULES[settings.window_rule]
        #: None where the rule knows no other bounds than the buffer's.
        self.window_bounds = advertised_window.Bounds(0, 0) if settings.window_rule == "up" else None
        self.rcv_rtt = 0.0
        self.rcv_rtt_echo = 0
        self.rcv_taken = 0
        self.rcv_round_at = LONG_AGO

        # Segment sizes: the peer's MSS option, what a segment of ours carries, what the peer's seem to carry
        self.path_mtu = path_mtu
        self.path = Path(path_mtu if link_mtu is None else link_mtu)
        self.gso_payload = gso_max
        self.peer_mss = opening.default_mss(local_address, settings)
        self.snd_mss = self.peer_mss
        #: What a longer segment is cut into on its way out: ``snd_mss``, but for a probe of the path.
        self.segment_size = self.snd_mss
        self.rcv_mss = 0
        #: The MSS option of our SYN.
        self.own_mss = 0

        # Window scale and timestamps (RFC 7323)
        self.scaling = settings.window_scaling
        self.timestamps = settings.timestamps
        self.ts_offset = ts_offset
        self.ts_recent = 0
        self.ts_recent_at = LONG_AGO

        # Selective acknowledgments (RFC 2018): held ranges by when they last changed, and a duplicate to report
        self.sack_ok = settings.sack
        self.sack_recent: tuple[int, ...] = ()
        self.dsack: tuple[int, int] | None = None

        self.ecn = UNUSED

        # Acknowledgments that we owe
        self.ack_now = False
        self.unacked_bytes = 0
        self.ack_due = inf
        #: What is known of the peer's and the application's habits; None: nothing, and nobody asks.
        self.ack_timing = AckTiming() if settings.adaptive_acks else None
        # Until when a period of challenge ACKs lasts, and how many it has had
        self.challenge_after = LONG_AGO
        self.challenges = 0
        #: The first check of an arriving segment.
        self.accept = acceptance.RULES[settings.acceptance]

        # Retransmission and recovery
        self.rtt = make_estimator(settings)
        self.congestion: CongestionControl = registry.of_settings(settings)
        self.retransmit_due = inf
        #: The retransmission timer is really a zero-window probe's.
        self.probing = False
        self.sws_override = False
        #: Since when something has been waiting for an answer (R2, §3.8.3).
        self.at_risk_since = inf
        #: Segments that the peer says came twice, and timeouts without an acknowledgment of anything between them.
        self.dsacks = 0
        self.timeouts_in_row = 0
        #: Since when something has been sent again without an acknowledgment of anything.
        self.resent_since = inf
        self.dup_acks = 0
        #: How far the window is used, where it is counted in segments.
        self.usage = Usage() if settings.window_unit == "segment" else None
        self.rack = Rack(settings.reordering)
        self.recovery = CALM
        #: The timer of RACK (``loss_is_reordering``) or else of the tail loss probe.
        self.loss_due = inf
        self.loss_is_reordering = False
        #: How much of ``rtx.ever_lost`` the congestion controller knows of.
        self.loss_reported = 0
        # Delivery rate: all that ever arrived, when last, and until where the application was the limit
        self.delivered = 0
        self.delivered_at = 0.0
        self.window_sent_at = 0.0
        self.app_limited = 0
        #: The congestion window was what stopped the last output.
        self.limited = False

        # Pacing: when the next segment may leave, and the timer for it
        self.pace_at = LONG_AGO
        self.pace_due = inf

        # Other timers
        self.keepalive = settings.keepalive
        self.keepalive_due = inf
        #: Keep-alives and probes of a closed window, since the last one was answered, and when that was sent.
        self.probes = 0
        self.probed_at = LONG_AGO
        self.time_wait_due = inf
        self.fin_wait_2_due = inf

        self.last_sent_at = LONG_AGO
        self.last_arrival = LONG_AGO
        #: As they are on the wire: a super-segment counts for what the device makes of it.
        self.syns_sent = 0
        self.segments_sent = 0
        self.data_segments_sent = 0
        self.segments_received = 0
        self.data_segments_received = 0
        self.out_of_order_segments = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.retransmissions = 0
        #: What these were: segments on the wire, and bytes of data.
        self.resent_segments = 0
        self.resent_bytes = 0

    # -- The one place where the state changes --------------------------------------------------------

    def step(self, event: Event, now: float, *, tell: bool = True) -> State:
        """Take one step of the state machine and return the new state.

        ``tell``: emit the trace event although the state stays what it is.
        """
        before = self.state
        after, section, reason = step(before, event)
        self.state = after
        trace = self.outlet.trace
        if trace is not None and (tell or after is not before):
            trace((Kind.TRANSITION, now, self.number, before, event, after, section, reason))
        return after

    # -- The ways in ----------------------------------------------------------------------------------

    def open_passive(self, now: float) -> None:
        """Passive OPEN (§3.10.1): wait in LISTEN for a SYN."""
        calls.open_passive(self, now)

    def open_active(self, now: float) -> None:
        """Active OPEN (§3.10.1): send a SYN.  Raises ConnectionAlreadyExists, RemoteUnspecified."""
        calls.open_active(self, now)

    def send(
        self,
        data: Buffer | bytearray,
        now: float,
        *,
        more: bool = False,
        end_of_record: bool = False,
        urgent: bool = False,
    ) -> int:
        """SEND (§3.10.2): queue ``data``; returns how many bytes were taken, 0 when there is no room.

        ``more``: what is not a full segment waits for the next call, but not for ever (RFC 9293 §3.8.6.2.1 (4)).
        ``end_of_record``: a segment ends here.  ``urgent``: the urgent data ends here (RFC 6093 advises against it).

        Raises ConnectionClosing after CLOSE, and the connection's error once it has ended.
        """
        self.more = more
        taken = calls.send(self, data, now)
        if self.pushes_bursts and taken:
            output.note_push(self, ends=not more and taken == len(data))
        if end_of_record and taken == len(data):
            self.record_ends = self.record_ends or []
            self.record_ends.append(self.send_buffer.end)
        if urgent and taken == len(data):
            self.snd_up = self.send_buffer.end
        return taken

    def receive(self, most: int, now: float) -> bytes | bytearray:
        """RECEIVE (§3.10.3): up to ``most`` (>= 1) bytes; empty when none have come or at the end.

        Raises the connection's error when it ended badly and everything received was read.
        """
        return calls.receive(self, most, now)

    def receive_into(self, target: memoryview, now: float) -> int:
        """RECEIVE (§3.10.3) into ``target``, a writable view of at least one byte; 0 when none have come or at
        the end.  Raises as :meth:`receive`."""
        return calls.receive_into(self, target, now)

    def close(self, now: float) -> None:
        """CLOSE (§3.10.4): a FIN follows the data; receiving goes on.  A second call does nothing."""
        calls.close(self, now)

    def release(self, now: float) -> None:
        """The application has gone: close, and answer data that nobody will read with a RST (§3.6.1)."""
        calls.release(self, now)

    def abort(self, now: float, why: str = "aborted by the application") -> None:
        """ABORT (§3.10.5): RST, everything queued is thrown away.  ``why`` is what the connection's error says."""
        calls.abort(self, now, why)

    def forget(self, now: float, why: str = "forgotten") -> None:
        """ABORT that the peer does not learn of."""
        calls.forget(self, now, why)

    def set_keepalive(self, on: bool, now: float) -> None:
        """Turn keep-alives on or off (§3.8.4)."""
        keepalive.switch(self, on, now)

    def quick_ack(self, on: bool) -> None:
        """``on``: acknowledge what is owed, and do not wait for answers to carry it; else wait, until the peer does."""
        if self.ack_timing is not None:
            self.ack_timing.switch(self, on)
        elif on and self.unacked_bytes:
            self.need_ack()

    @property
    def quick_ack_mode(self) -> bool:
        """Whether acknowledgments do not wait for the application's answers."""
        return self.ack_timing is None or not self.ack_timing.waits(self)

    def status(self) -> Status:
        """STATUS (§3.10.6): a snapshot."""
        return status_of(self)

    def segment_arrives(self, segment: Segment, now: float) -> None:
        """SEGMENT ARRIVES (§3.10.7).  The segment is for this pair of sockets and its checksum is right."""
        arrival.segment_arrives(self, segment, now)

    def icmp_error(self, message: str, seq: int, now: float, meaning: IcmpMeaning) -> None:
        """An ICMP error quotes our segment with wire sequence number ``seq`` (§3.9.2.2)."""
        arrival.icmp_error(self, message, seq, now, meaning)

    def packet_too_big(self, mtu: int, seq: int, now: float) -> None:
        """An ICMP error says that the path takes packets of ``mtu`` bytes only (RFC 1191, RFC 8201)."""
        path_mtu.packet_too_big(self, mtu, seq, now)

    def push(self, now: float) -> None:
        """What is queued waits no more for company: ``nodelay`` was set, ``corked`` cleared, or a write ended."""
        self.more = False
        if self.pushes_bursts:
            output.note_push(self, ends=True)
        self.touch()

    def run_timers(self, now: float) -> None:
        """Act on each timer that is due (§3.10.8)."""
        timeouts.run(self, now)

    def put_out(self, now: float) -> None:
        """Send what may be sent now: data, FIN, acknowledgment."""
        output.put_out(self, now)

    def deadline(self) -> float:
        """When :meth:`run_timers` is needed next; ``inf`` when nothing is waiting."""
        due = self.retransmit_due
        if self.loss_due < due:
            due = self.loss_due
        if self.ack_due < due:
            due = self.ack_due
        if self.pace_due < due:
            due = self.pace_due
        if self.fin_wait_2_due < due:
            due = self.fin_wait_2_due
        return self.keepalive_due if self.keepalive_due < due else due

    # -- What an application may ask ------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        """Whether :meth:`receive` would not just say "nothing yet"."""
        return bool(self.receive_buffer.ready.length) or self.at_eof or self.error is not None

    @property
    def at_eof(self) -> bool:
        """The peer's FIN has come, and everything before it was read."""
        return not self.receive_buffer.ready.length and (
            self.state in RECEIVE_CLOSED or (self.rcv_fin is not None and self.rcv_nxt > self.rcv_fin)
        )

    @property
    def sending_urgent(self) -> bool:
        """Urgent data of ours is not acknowledged, or not even sent."""
        return self.snd_up > self.snd_una

    @property
    def urgent_remaining(self) -> int:
        """How many bytes are still to be read, or to come, until the end of urgent data (MUST-33); 0: none is."""
        if self.rcv_up is None:
            return 0
        return max(0, self.rcv_up - (self.rcv_nxt - self.receive_buffer.ready.length))

    @property
    def send_room(self) -> int:
        """How many bytes :meth:`send` would take."""
        return max(0, self.settings.send_buffer - len(self.send_buffer))

    @property
    def is_over(self) -> bool:
        """The connection block is deleted."""
        return self.state is CLOSED

    # -- Used by the modules beside this one ------------------------------------------------------------

    @property
    def rcv_wnd(self) -> int:
        """The window that the peer still has, in bytes."""
        return self.rcv_adv - self.rcv_nxt

    @property
    def unanswered_probes(self) -> int:
        """How many keep-alives, or probes of a closed window, nothing has arrived after."""
        return self.probes if self.last_arrival < self.probed_at else 0

    @property
    def in_flight(self) -> int:
        """Sequence numbers that are in the network as far as we know (RFC 6675's pipe).

        Without SACK, each duplicate acknowledgment says that one more segment has left the network
        (RFC 5681 §3.2).
        """
        rtx = self.rtx
        pipe = self.snd_nxt - self.snd_una - rtx.lost - rtx.sacked
        return max(0, pipe - self.dup_acks * self.snd_mss) if self.dup_acks else pipe

    def notify(self, bits: int) -> None:
        """Tell the application to look again."""
        if not self.pending:
            self.outlet.wake(self)
        self.pending |= bits

    def report(self, what: str, now: float) -> None:
        """Tell the application of a soft error, for which nothing ends (RFC 9293 §3.9.1.8, MUST-47)."""
        self.soft_error = what
        self.soft_error_at = now
        self.notify(REPORTED)

    def need_ack(self) -> None:
        """An acknowledgment goes out at the end of this batch."""
        self.ack_now = True
        self.touch()

    def touch(self) -> None:
        """Have :meth:`put_out` called at the end of this batch."""
        if not self.touched:
            self.touched = True
            self.outlet.touched(self)

    def end(self, now: float, error: TcpError | None) -> None:
        """The connection block is deleted: the state is CLOSED (or LISTEN for a listener's child)."""
        if self.error is None:
            self.error = error
        self.stop_timers()
        self.ack_now = False
        self.unacked_bytes = 0
        self.send_buffer.clear()
        self.rtx.clear()
        self.receive_buffer.forget_held()
        self.account_for_held()
        if error is not None and not self.settings.unread_stays:
            self.receive_buffer.clear()
        trace = self.outlet.trace
        if trace is not None:
            trace((Kind.DELETED, now, self.number, str(error) if error is not None else ""))
        self.notify(READABLE | WRITABLE | ENDED)
        self.outlet.deleted(self, now)

    def account_for_held(self) -> None:
        """Let the host know how much out-of-order data this connection holds now."""
        held = self.receive_buffer.held_bytes
        self.outlet.out_of_order_bytes += held - self.held_accounted
        self.held_accounted = held

    def stop_timers(self) -> None:
        """Turn all timers off."""
        self.retransmit_due = self.loss_due = self.ack_due = self.pace_due = inf
        self.time_wait_due = self.fin_wait_2_due = self.keepalive_due = inf
        self.probing = self.loss_is_reordering = False
