"""STATUS (RFC 9293 §3.10.6): a connection as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from usertcp.tcp.states import State
from usertcp.wire.seq import MASK

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot.  Sequence numbers are as on the wire, sizes and windows bytes, times seconds."""

    state: State
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    iss: int
    snd_una: int
    snd_nxt: int
    snd_wnd: int
    snd_mss: int
    path_mtu: int
    snd_wscale: int
    irs: int
    rcv_nxt: int
    rcv_wnd: int
    rcv_wscale: int
    timestamps: bool
    sack: bool
    nodelay: bool
    keepalive: bool
    user_timeout: float | None
    ecn: bool
    ecn_marks: int
    ecn_reductions: int
    srtt: float | None
    rttvar: float
    rto: float
    congestion_control: str
    cwnd: int
    ssthresh: int
    pacing_rate: float | None
    ca_state: str
    in_flight: int
    sacked: int
    lost: int
    reordering_seen: bool
    reo_wnd_mult: int
    min_rtt: float | None
    delivered: int
    unsent: int
    unread: int
    out_of_order: int
    receive_buffer: int
    rcv_rtt: float | None
    segments_sent: int
    segments_received: int
    bytes_sent: int
    bytes_received: int
    retransmissions: int
    #: The last ICMP error that quoted a segment of ours, or that R1 was reached; "": none.
    soft_error: str


def status_of(tcb: Connection) -> Status:
    """The snapshot of ``tcb``."""
    return Status(
        state=tcb.state,
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
        snd_wscale=tcb.snd_wscale,
        irs=tcb.irs & MASK,
        rcv_nxt=tcb.rcv_nxt & MASK,
        rcv_wnd=tcb.rcv_wnd,
        rcv_wscale=tcb.rcv_wscale,
        timestamps=tcb.timestamps,
        sack=tcb.sack_ok,
        nodelay=tcb.nodelay,
        keepalive=tcb.keepalive,
        user_timeout=tcb.user_timeout,
        ecn=tcb.ecn.sends,
        ecn_marks=tcb.ecn.marks,
        ecn_reductions=tcb.ecn.reductions,
        srtt=tcb.rtt.srtt,
        rttvar=tcb.rtt.rttvar,
        rto=tcb.rtt.rto,
        congestion_control=tcb.congestion.name,
        cwnd=tcb.congestion.cwnd,
        ssthresh=tcb.congestion.ssthresh,
        pacing_rate=tcb.congestion.pacing_rate,
        ca_state=tcb.recovery.state.value,
        in_flight=tcb.in_flight,
        sacked=tcb.rtx.sacked,
        lost=tcb.rtx.lost,
        reordering_seen=tcb.rack.reordering_seen,
        reo_wnd_mult=tcb.rack.reo_wnd_mult,
        min_rtt=tcb.rtt.min_rtt if tcb.rtt.srtt is not None else None,
        delivered=tcb.delivered,
        unsent=max(0, tcb.send_buffer.end - tcb.snd_nxt),
        unread=tcb.receive_buffer.ready.length,
        out_of_order=tcb.receive_buffer.held_bytes,
        receive_buffer=tcb.rcv_buf,
        rcv_rtt=tcb.rcv_rtt or None,
        segments_sent=tcb.segments_sent,
        segments_received=tcb.segments_received,
        bytes_sent=tcb.bytes_sent,
        bytes_received=tcb.bytes_received,
        retransmissions=tcb.retransmissions,
        soft_error=tcb.soft_error,
    )
