"""``struct tcp_info`` as bytes, and read from bytes.

Linux's layout is that of kernel 6.18 (linux/tcp.h); what an older program asks for is its beginning.  FreeBSD's is
that of its netinet/tcp.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket


class _Field(NamedTuple):
    """Where a number stands; ``bits`` of it from ``shift`` on where several share a byte."""

    name: str
    offset: int
    format: Struct
    shift: int = 0
    bits: int = 0


_BYTE: Final = "B"

# Name:format, in their order; "name.n" is a bit field of n bits, and "|" joins those of one byte.
_LINUX: Final = """
state:B ca_state:B retransmits:B probes:B backoff:B options:B snd_wscale.4|rcv_wscale.4
delivery_rate_app_limited.1|fastopen_client_fail.2
rto:I ato:I snd_mss:I rcv_mss:I unacked:I sacked:I lost:I retrans:I fackets:I
last_data_sent:I last_ack_sent:I last_data_recv:I last_ack_recv:I
pmtu:I rcv_ssthresh:I rtt:I rttvar:I snd_ssthresh:I snd_cwnd:I advmss:I reordering:I rcv_rtt:I rcv_space:I
total_retrans:I pacing_rate:Q max_pacing_rate:Q bytes_acked:Q bytes_received:Q segs_out:I segs_in:I
notsent_bytes:I min_rtt:I data_segs_in:I data_segs_out:I delivery_rate:Q
busy_time:Q rwnd_limited:Q sndbuf_limited:Q delivered:I delivered_ce:I bytes_sent:Q bytes_retrans:Q
dsack_dups:I reord_seen:I rcv_ooopack:I snd_wnd:I rcv_wnd:I rehash:I
total_rto:H total_rto_recoveries:H total_rto_time:I
received_ce:I delivered_e1_bytes:I delivered_e0_bytes:I delivered_ce_bytes:I
received_e1_bytes:I received_e0_bytes:I received_ce_bytes:I accecn_fail_mode:H accecn_opt_seen:H
"""
# What FreeBSD does not fill in has two underscores in front there; here it has the name that Linux gives it.
_FREEBSD: Final = """
state:B ca_state:B retransmits:B probes:B backoff:B options:B snd_wscale.4|rcv_wscale.4 pad0:B
rto:I ato:I snd_mss:I rcv_mss:I unacked:I sacked:I lost:I retrans:I fackets:I
last_data_sent:I last_ack_sent:I last_data_recv:I last_ack_recv:I
pmtu:I rcv_ssthresh:I rtt:I rttvar:I snd_ssthresh:I snd_cwnd:I advmss:I reordering:I rcv_rtt:I rcv_space:I
snd_wnd:I snd_bwnd:I snd_nxt:I rcv_nxt:I toe_tid:I snd_rexmitpack:I rcv_ooopack:I snd_zerowin:I
delivered_ce:I received_ce:I delivered_e1_bytes:I delivered_e0_bytes:I delivered_ce_bytes:I
received_e1_bytes:I received_e0_bytes:I received_ce_bytes:I
total_tlp:I total_tlp_bytes:I snd_una:I snd_max:I rcv_numsacks:I rcv_adv:I dupacks:I
"""


def _fields(layout: str) -> Iterator[_Field]:
    offset = 0
    for word in layout.split():
        name, _, code = word.partition(":")
        if not code:
            shift = 0
            for part in word.split("|"):
                name, _, bits = part.partition(".")
                yield _Field(f"tcpi_{name}", offset, Struct(_BYTE), shift, int(bits))
                shift += int(bits)
            offset += 1
            continue
        form = Struct("=" + code)
        offset += -offset % form.size
        yield _Field(f"tcpi_{name}", offset, form)
        offset += form.size


_LAYOUTS: Final = {"linux": tuple(_fields(_LINUX)), "freebsd": tuple(_fields(_FREEBSD))}


def size(personality: str = "linux") -> int:
    """``sizeof(struct tcp_info)``."""
    last = _LAYOUTS[personality][-1]
    return last.offset + last.format.size


def pack(values: Mapping[str, int], personality: str = "linux") -> bytes:
    """The structure with these values (``tcpi_...``), each cut to what its field holds; 0 for what is not there."""
    structure = bytearray(size(personality))
    for field in _LAYOUTS[personality]:
        value = values.get(field.name, 0)
        if field.bits:
            structure[field.offset] |= (value & (1 << field.bits) - 1) << field.shift
        else:
            field.format.pack_into(structure, field.offset, value & (1 << 8 * field.format.size) - 1)
    return bytes(structure)


def fields(structure: bytes, personality: str = "linux") -> dict[str, int]:
    """The numbers in the beginning of a structure, by name (``tcpi_...``), as far as it goes."""
    values: dict[str, int] = {}
    for field in _LAYOUTS[personality]:
        if field.offset + field.format.size > len(structure):
            continue
        (value,) = field.format.unpack_from(structure, field.offset)
        values[field.name] = value >> field.shift & (1 << field.bits) - 1 if field.bits else value
    return values


def of_socket(socket: TcpSocket) -> bytes:
    """TCP_INFO."""
    from usertcp.sim.posix.tcp_measures import measures

    personality = socket.machine.personality
    return pack(measures(socket), personality)
