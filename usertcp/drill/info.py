"""``struct tcp_info`` as Linux lays it out (linux/tcp.h), and the constants that assertions compare its fields with."""

from __future__ import annotations

from struct import calcsize, unpack_from
from typing import Final

#: The names of fields in their order, each with its form (:mod:`struct`).  The bit-fields of bytes 6 and 7 are apart.
_LAYOUT: Final[tuple[tuple[str, str], ...]] = (
    (
        "B",
        "state ca_state retransmits probes backoff options",
    ),
    ("2x", ""),
    (
        "I",
        "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv"
        " last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space"
        " total_retrans",
    ),
    ("Q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    ("I", "delivered delivered_ce"),
    ("Q", "bytes_sent bytes_retrans"),
    ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    ("H", "total_rto total_rto_recoveries"),
    (
        "I",
        "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes received_e1_bytes"
        " received_e0_bytes received_ce_bytes",
    ),
    ("H", "accecn_fail_mode accecn_opt_seen"),
)


def fields(raw: bytes) -> dict[str, int]:
    """The fields that ``raw`` holds whole, by their names (``tcpi_rto``); an older kernel's structure is shorter."""
    found: dict[str, int] = {}
    offset = 0
    for form, names in _LAYOUT:
        size = calcsize(form)
        for name in names.split():
            if offset + size > len(raw):
                return found
            (found[f"tcpi_{name}"],) = unpack_from(f"={form}", raw, offset)
            offset += size
        if not names:
            if offset + size > len(raw):
                return found
            scales, limits = raw[offset], raw[offset + 1]
            found["tcpi_snd_wscale"], found["tcpi_rcv_wscale"] = scales & 15, scales >> 4
            found["tcpi_delivery_rate_app_limited"] = limits & 1
            found["tcpi_fastopen_client_fail"] = limits >> 1 & 3
            offset += size
    return found


#: Values of ``tcpi_state``, ``tcpi_ca_state``, ``tcpi_options`` and ``tcpi_fastopen_client_fail``.
CONSTANTS: Final[dict[str, int]] = {
    "TCP_ESTABLISHED": 1,
    "TCP_SYN_SENT": 2,
    "TCP_SYN_RECV": 3,
    "TCP_FIN_WAIT1": 4,
    "TCP_FIN_WAIT2": 5,
    "TCP_TIME_WAIT": 6,
    "TCP_CLOSE": 7,
    "TCP_CLOSE_WAIT": 8,
    "TCP_LAST_ACK": 9,
    "TCP_LISTEN": 10,
    "TCP_CLOSING": 11,
    "TCP_NEW_SYN_RECV": 12,
    "TCP_CA_Open": 0,
    "TCP_CA_Disorder": 1,
    "TCP_CA_CWR": 2,
    "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
    "TCPI_OPT_USEC_TS": 64,
    "TCPI_OPT_TFO_CHILD": 128,
    "TFO_STATUS_UNSPEC": 0,
    "TFO_COOKIE_UNAVAILABLE": 1,
    "TFO_DATA_NOT_ACKED": 2,
    "TFO_SYN_RETRANSMITTED": 3,
}
