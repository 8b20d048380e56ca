"""What TCP_INFO tells, by the names and in the units of Linux: times in microseconds but for the ``last_...`` ones,
which are milliseconds; what the sender has outstanding in segments; rates in bytes per second."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.times import EPSILON
from usertcp.tcp import opening
from usertcp.tcp.congestion.base import UNLIMITED
from usertcp.tcp.ecn import Ecn
from usertcp.tcp.fast_open import FastOpenOutcome
from usertcp.tcp.recovery import CaState
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.busy_time import BusyTime
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

_STATES: Final = {
    State.ESTABLISHED: c.TCP_ESTABLISHED,
    State.SYN_SENT: c.TCP_SYN_SENT,
    State.SYN_RECEIVED: c.TCP_SYN_RECV,
    State.FIN_WAIT_1: c.TCP_FIN_WAIT1,
    State.FIN_WAIT_2: c.TCP_FIN_WAIT2,
    State.TIME_WAIT: c.TCP_TIME_WAIT,
    State.CLOSED: c.TCP_CLOSE,
    State.CLOSE_WAIT: c.TCP_CLOSE_WAIT,
    State.LAST_ACK: c.TCP_LAST_ACK,
    State.LISTEN: c.TCP_LISTEN,
    State.CLOSING: c.TCP_CLOSING,
}
_FREEBSD_STATES: Final = {
    State.CLOSED: 0,
    State.LISTEN: 1,
    State.SYN_SENT: 2,
    State.SYN_RECEIVED: 3,
    State.ESTABLISHED: 4,
    State.CLOSE_WAIT: 5,
    State.FIN_WAIT_1: 6,
    State.CLOSING: 7,
    State.LAST_ACK: 8,
    State.FIN_WAIT_2: 9,
    State.TIME_WAIT: 10,
}
_CA_STATES: Final = {
    CaState.OPEN: c.TCP_CA_Open,
    CaState.DISORDER: c.TCP_CA_Disorder,
    CaState.CWR: c.TCP_CA_CWR,
    CaState.RECOVERY: c.TCP_CA_Recovery,
    CaState.LOSS: c.TCP_CA_Loss,
}
_MICROSECONDS: Final = 1_000_000
_MILLISECONDS: Final = 1000
_INFINITE_SSTHRESH: Final = 0x7FFFFFFF
#: enum tcp_fastopen_client_fail has two bits; what is left of a success is 0.
_FAST_OPEN_FAILURE: Final = 3
#: What Linux takes for the largest and the least segment of a peer that it knows nothing of.
_DEFAULT_MSS: Final = 536
_LEAST_MSS: Final = 88
_OF_WHAT_IS_OUTSTANDING: Final = (
    "tcpi_unacked", "tcpi_sacked", "tcpi_lost", "tcpi_retrans", "tcpi_retransmits", "tcpi_probes", "tcpi_backoff",
    "tcpi_notsent_bytes",
)  # fmt: skip
#: RFC 6928
_INITIAL_SEGMENTS: Final = 10
_UNKNOWN_RTT: Final = 0xFFFFFFFF
_UNLIMITED_RATE: Final = 0xFFFFFFFFFFFFFFFF


def measures(socket: TcpSocket) -> dict[str, int]:
    """The fields of ``struct tcp_info`` for a socket in any state."""
    values = {
        "tcpi_state": _state(socket),
        "tcpi_pacing_rate": _UNLIMITED_RATE,
        "tcpi_max_pacing_rate": _UNLIMITED_RATE,
        "tcpi_reordering": 3,
        "tcpi_snd_cwnd": socket.settings.initial_window,
        "tcpi_snd_ssthresh": _INFINITE_SSTHRESH,
    }
    listener, connection = socket.listener, socket.connection
    if listener is not None:
        values |= {"tcpi_unacked": len(listener.ready), "tcpi_sacked": socket.backlog}
    elif connection is not None:
        now = socket.machine.now
        for part in (_options(connection), _sending(connection, now), _receiving(connection, now), _path(connection)):
            values |= part
        if not connection.rcv_nxt:
            values |= _before_the_answer(connection)
        if connection.is_over:
            values |= dict.fromkeys(_OF_WHAT_IS_OUTSTANDING, 0)
        values |= _busy(socket.busy_time, now)
    return values


def _busy(busy_time: BusyTime, now: float) -> dict[str, int]:
    busy_time.count(now)
    return {
        "tcpi_busy_time": round(busy_time.busy * _MICROSECONDS),
        "tcpi_rwnd_limited": round(busy_time.by_window * _MICROSECONDS),
        "tcpi_sndbuf_limited": round(busy_time.by_buffer * _MICROSECONDS),
    }


def _before_the_answer(connection: Connection) -> dict[str, int]:
    """SYN-SENT: nothing is known of the peer, and a SYN that was lost is a loss like any other."""
    stamps = opening.TIMESTAMPS_LENGTH if connection.timestamps else 0
    values = {"tcpi_snd_mss": _DEFAULT_MSS - stamps, "tcpi_rcv_mss": _LEAST_MSS, "tcpi_lost": 0, "tcpi_retrans": 0}
    if connection.timeouts_in_row:
        values |= {"tcpi_ca_state": c.TCP_CA_Loss, "tcpi_lost": 1, "tcpi_retrans": 1, "tcpi_snd_cwnd": 1}
    return values


def _state(socket: TcpSocket) -> int:
    if socket.machine.personality == "linux":
        return _STATES[socket.state]
    connection = socket.connection  # which is in TIME-WAIT as long as that lasts
    return _FREEBSD_STATES[socket.state if connection is None else connection.state]


def _options(connection: Connection) -> dict[str, int]:
    options = 0
    if connection.state is not State.SYN_SENT:
        options |= c.TCPI_OPT_TIMESTAMPS if connection.timestamps else 0
        options |= c.TCPI_OPT_SACK if connection.sack_ok else 0
        options |= c.TCPI_OPT_WSCALE if connection.scaling else 0
        options |= _ecn(connection.ecn)
        options |= c.TCPI_OPT_SYN_DATA if connection.fast_open_outcome is FastOpenOutcome.TAKEN else 0
        options |= c.TCPI_OPT_TFO_CHILD if connection.early else 0
    scaling = bool(options & c.TCPI_OPT_WSCALE)
    return {
        "tcpi_options": options,
        "tcpi_fastopen_client_fail": connection.fast_open_outcome & _FAST_OPEN_FAILURE,
        "tcpi_snd_wscale": connection.snd_wscale if scaling else 0,
        "tcpi_rcv_wscale": connection.rcv_wscale if scaling else 0,
    }


def _ecn(ecn: Ecn) -> int:
    if not (ecn.sends or ecn.listens):
        return 0
    return c.TCPI_OPT_ECN | (c.TCPI_OPT_ECN_SEEN if ecn.marks else 0)


def _sending(connection: Connection, now: float) -> dict[str, int]:
    mss = connection.snd_mss
    rtx = connection.rtx
    congestion = connection.congestion
    return {
        "tcpi_ca_state": _CA_STATES[connection.recovery.state],
        "tcpi_retransmits": connection.timeouts_in_row,
        "tcpi_probes": connection.unanswered_probes,
        "tcpi_backoff": connection.rtt.backoffs,
        "tcpi_snd_mss": mss,
        "tcpi_unacked": _segments(connection.snd_nxt - connection.snd_una, mss),
        "tcpi_sacked": _segments(rtx.sacked, mss) if connection.sack_ok else connection.dup_acks,
        "tcpi_lost": _segments(rtx.unrepaired, mss),
        "tcpi_retrans": _segments(rtx.repairing, mss),
        "tcpi_reordering": connection.rack.reordering,
        "tcpi_reord_seen": connection.rack.reorderings,
        "tcpi_dsack_dups": connection.dsacks,
        "tcpi_last_data_sent": _ago(connection.last_sent_at, now),
        "tcpi_snd_ssthresh": _INFINITE_SSTHRESH if congestion.ssthresh >= UNLIMITED else congestion.ssthresh // mss,
        "tcpi_snd_cwnd": congestion.cwnd // mss,
        "tcpi_total_retrans": connection.resent_segments,
        "tcpi_bytes_retrans": connection.resent_bytes,
        "tcpi_pacing_rate": int(congestion.pacing_rate or 0),
        "tcpi_bytes_acked": connection.snd_una - connection.iss - connection.opened_passively,
        "tcpi_segs_out": connection.segments_sent - (connection.syns_sent if connection.opened_passively else 0),
        "tcpi_data_segs_out": connection.data_segments_sent,
        "tcpi_notsent_bytes": max(0, connection.send_buffer.end - connection.snd_nxt),
        "tcpi_delivered": _delivered(connection),
        "tcpi_bytes_sent": connection.bytes_sent + connection.resent_bytes,
        "tcpi_snd_wnd": connection.snd_wnd,
        "tcpi_delivery_rate_app_limited": int(bool(connection.app_limited)),
    }


def _receiving(connection: Connection, now: float) -> dict[str, int]:
    timing, bounds = connection.ack_timing, connection.window_bounds
    window = connection.rcv_adv - (connection.last_ack_sent or connection.rcv_nxt)
    return {
        "tcpi_ato": round((timing.delay if timing is not None else connection.settings.ack_delay) * _MICROSECONDS),
        "tcpi_rcv_mss": connection.rcv_mss,
        "tcpi_rcv_ssthresh": window if bounds is None else bounds.reach,
        "tcpi_rcv_space": min(window, _INITIAL_SEGMENTS * _advertised(connection)),
        "tcpi_last_data_recv": _ago(connection.last_arrival if timing is None else timing.last_data, now),
        "tcpi_last_ack_recv": _ago(connection.last_arrival, now),
        "tcpi_rcv_rtt": int(connection.rcv_rtt * _MICROSECONDS),
        "tcpi_bytes_received": max(0, connection.rcv_nxt - connection.irs - 1),
        "tcpi_segs_in": connection.segments_received,
        "tcpi_data_segs_in": connection.data_segments_received,
        "tcpi_rcv_ooopack": connection.out_of_order_segments,
        "tcpi_rcv_wnd": window,
    }


def _path(connection: Connection) -> dict[str, int]:
    rtt = connection.rtt
    return {
        "tcpi_rto": round(_timeout(connection) * _MICROSECONDS),
        "tcpi_pmtu": connection.path_mtu,
        "tcpi_rtt": round((rtt.srtt or 0) * _MICROSECONDS),
        "tcpi_rttvar": round(rtt.rttvar * _MICROSECONDS),
        "tcpi_min_rtt": round(rtt.min_rtt * _MICROSECONDS) if rtt.min_rtt < inf else _UNKNOWN_RTT,
        "tcpi_advmss": _advertised(connection),
    }


def _advertised(connection: Connection) -> int:
    """What our SYN said, less the timestamps that the peer's segments bear."""
    most = connection.path.link_mtu - opening.header_length(connection)
    stamps = connection.timestamps and connection.state is not State.SYN_SENT
    return min(most, connection.settings.user_mss or most) - opening.TIMESTAMPS_LENGTH * stamps


def _timeout(connection: Connection) -> float:
    """Probes of a closed window wait longer and longer, which is no part of it."""
    rtt = connection.rtt
    if not connection.probing:
        return rtt.rto
    return max(rtt.rto / (1 << rtt.backoffs), connection.settings.min_rto)


def _delivered(connection: Connection) -> int:
    """In segments, of which our SYN and FIN are one each."""
    fin = connection.fin_seq is not None and connection.snd_una > connection.fin_seq
    controls = min(connection.delivered, 1) + fin
    return controls + _segments(connection.delivered - controls, connection.snd_mss)


def _segments(length: int, mss: int) -> int:
    return -(-length // mss)


def _ago(moment: float, now: float) -> int:
    return int((now - moment + EPSILON) * _MILLISECONDS) if moment > -inf else 0
