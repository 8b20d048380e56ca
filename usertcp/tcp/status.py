"""STATUS (RFC 9293 §3.10.6): a connection as one value."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from usertcp.tcp.states import State
from usertcp.wire.seq import MASK

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot, in the spirit of ``struct tcp_info``; also of a connection that has ended.

    Sequence numbers are as on the wire, sizes and windows bytes, times seconds.  Moments (``..._at`` and
    ``timers``) are on the clock that drives the connection: under trio, ``trio.current_time()``.
    """

    #: One of the eleven of RFC 9293 §3.3.2.
    state: State
    #: Why the connection ended, in words; "": it has not, or in good order.
    error: str
    #: The last ICMP error that quoted a segment of ours, or that R1 was reached; "": none.
    soft_error: str
    #: The peer opened it.
    opened_passively: bool

    #: Addresses of 4 or 16 bytes, and ports.
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int

    #: Our initial sequence number, the oldest that is not acknowledged, and the next to be sent.
    iss: int
    snd_una: int
    snd_nxt: int
    #: What the peer lets us send beyond ``snd_una``.
    snd_wnd: int
    #: What a segment of ours carries at most, and the largest packet that the path takes, headers included.
    snd_mss: int
    path_mtu: int
    #: The peer's initial sequence number, and the next that we wait for.
    irs: int
    rcv_nxt: int
    #: What the peer may still send.
    rcv_wnd: int
    #: What our SYN said that we take, and what the peer's segments seem to carry.
    own_mss: int
    rcv_mss: int

    #: What both SYNs agreed on (before that: what ours offers): window scale with its shifts, timestamps,
    #: selective acknowledgments, congestion marks.
    window_scaling: bool
    snd_wscale: int
    rcv_wscale: int
    timestamps: bool
    sack: bool
    ecn: bool
    #: Data went with a SYN, or why not: a name of :class:`~usertcp.tcp.fast_open.FastOpenOutcome`.
    fast_open: str

    #: The application's options.
    nodelay: bool
    keepalive: bool
    user_timeout: float | None
    linger: float | None
    #: How much the send buffer holds at most, and the receive buffer now (it may grow).
    send_buffer: int
    receive_buffer: int

    #: The smoothed round trip (None: not measured yet), its variance, the least ever, and the timeout with its
    #: back-off.
    srtt: float | None
    rttvar: float
    min_rtt: float | None
    rto: float
    #: The round trip as the receiver sees it.
    rcv_rtt: float | None

    #: The controller's name, its window, its threshold (2^40 before the first loss), and its bytes per second.
    congestion_control: str
    cwnd: int
    ssthresh: int
    pacing_rate: float | None
    #: "open", "disorder", "cwr", "recovery" or "loss".
    ca_state: str
    #: Sequence numbers that are believed to be in the network; those that the peer holds out of order; those taken
    #: for lost.
    in_flight: int
    sacked: int
    lost: int
    #: How far reordering was noticed (RFC 8985 §6.2), in segments, and duplicate acknowledgments without SACK.
    reordering_seen: bool
    reo_wnd_mult: int
    reordering: int
    dup_acks: int
    #: Segments that the peer says came twice (RFC 2883).
    dsacks: int
    #: Marks that came from routers, and windows that were reduced for them.
    ecn_marks: int
    ecn_reductions: int

    #: Timeouts without an acknowledgment between them, doublings of the timer, keep-alives or window probes without
    #: an answer.
    timeouts_in_row: int
    backoffs: int
    unanswered_probes: int
    #: When each timer that runs is due: "retransmission" or "persist", "reordering" or "tail loss probe", "delayed
    #: ack", "pacing", "keep-alive", "fin-wait-2", "time-wait".
    timers: dict[str, float]

    #: Taken from the application and not sent; received and not read; received beyond a gap.
    unsent: int
    unread: int
    out_of_order: int

    #: As they are on the wire: a super-segment counts for what the device makes of it.
    segments_sent: int
    segments_received: int
    data_segments_sent: int
    data_segments_received: int
    out_of_order_segments: int
    #: The application's data: sent (each byte once), acknowledged, received in order.
    bytes_sent: int
    bytes_acked: int
    bytes_received: int
    #: What ever arrived at the peer, as far as we know, SYN and FIN included.
    delivered: int
    #: How often something was sent again, and what that came to.
    retransmissions: int
    retransmitted_segments: int
    retransmitted_bytes: int

    #: When we last sent data, and when a segment came last; None: never.
    last_sent_at: float | None
    last_received_at: float | None


def status_of(tcb: Connection) -> Status:
    """The snapshot of ``tcb``."""
    rtt, congestion, rtx = tcb.rtt, tcb.congestion, tcb.rtx
    return Status(
        state=tcb.state,
        error="" if tcb.error is None else str(tcb.error),
        soft_error=tcb.soft_error,
        opened_passively=tcb.opened_passively,
        local_address=tcb.local_address,
        local_port=tcb.local_port,
        remote_address=tcb.remote_address,
        remote_port=tcb.remote_port,
        iss=tcb.iss & MASK,
        snd_una=tcb.snd_una & MASK,
        snd_nxt=tcb.snd_nxt & MASK,
        snd_wnd=tcb.snd_wnd,
        snd_mss=tcb.snd_mss,
        path_mtu=tcb.path_mtu,
        irs=tcb.irs & MASK,
        rcv_nxt=tcb.rcv_nxt & MASK,
        rcv_wnd=tcb.rcv_wnd,
        own_mss=tcb.own_mss,
        rcv_mss=tcb.rcv_mss,
        window_scaling=tcb.scaling,
        snd_wscale=tcb.snd_wscale,
        rcv_wscale=tcb.rcv_wscale,
        timestamps=tcb.timestamps,
        sack=tcb.sack_ok,
        ecn=tcb.ecn.sends,
        fast_open=tcb.fast_open_outcome.name,
        nodelay=tcb.nodelay,
        keepalive=tcb.keepalive,
        user_timeout=tcb.user_timeout,
        linger=tcb.linger,
        send_buffer=tcb.settings.send_buffer,
        receive_buffer=tcb.rcv_buf,
        srtt=rtt.srtt,
        rttvar=rtt.rttvar,
        min_rtt=rtt.min_rtt if rtt.srtt is not None else None,
        rto=rtt.rto,
        rcv_rtt=tcb.rcv_rtt or None,
        congestion_control=congestion.name,
        cwnd=congestion.cwnd,
        ssthresh=congestion.ssthresh,
        pacing_rate=congestion.pacing_rate,
        ca_state=tcb.recovery.state.value,
        in_flight=tcb.in_flight,
        sacked=rtx.sacked,
        lost=rtx.lost,
        reordering_seen=tcb.rack.reordering_seen,
        reo_wnd_mult=tcb.rack.reo_wnd_mult,
        reordering=tcb.rack.reordering,
        dup_acks=tcb.dup_acks,
        dsacks=tcb.dsacks,
        ecn_marks=tcb.ecn.marks,
        ecn_reductions=tcb.ecn.reductions,
        timeouts_in_row=tcb.timeouts_in_row,
        backoffs=rtt.backoffs,
        unanswered_probes=tcb.unanswered_probes,
        timers=_timers(tcb),
        unsent=max(0, tcb.send_buffer.end - tcb.snd_nxt),
        unread=tcb.receive_buffer.ready.length,
        out_of_order=tcb.receive_buffer.held_bytes,
        segments_sent=tcb.segments_sent,
        segments_received=tcb.segments_received,
        data_segments_sent=tcb.data_segments_sent,
        data_segments_received=tcb.data_segments_received,
        out_of_order_segments=tcb.out_of_order_segments,
        bytes_sent=tcb.bytes_sent,
        bytes_acked=_acknowledged(tcb),
        bytes_received=tcb.bytes_received,
        delivered=tcb.delivered,
        retransmissions=tcb.retransmissions,
        retransmitted_segments=tcb.resent_segments,
        retransmitted_bytes=tcb.resent_bytes,
        last_sent_at=_moment(tcb.last_sent_at),
        last_received_at=_moment(tcb.last_arrival),
    )


def _acknowledged(tcb: Connection) -> int:
    """Without SYN and FIN."""
    fin = tcb.fin_seq is not None and tcb.snd_una > tcb.fin_seq
    return max(0, tcb.snd_una - tcb.iss - 1 - fin)


def _timers(tcb: Connection) -> dict[str, float]:
    due = {
        "persist" if tcb.probing else "retransmission": tcb.retransmit_due,
        "reordering" if tcb.loss_is_reordering else "tail loss probe": tcb.loss_due,
        "delayed ack": tcb.ack_due,
        "pacing": tcb.pace_due,
        "keep-alive": tcb.keepalive_due,
        "fin-wait-2": tcb.fin_wait_2_due,
        "time-wait": tcb.time_wait_due,
    }
    return {name: moment for name, moment in due.items() if moment < inf}


def _moment(at: float) -> float | None:
    return at if at > -inf else None
