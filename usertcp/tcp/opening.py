"""The SYNs: what ours says, and what the peer's means (RFC 9293 §3.5, §3.7.1, RFC 7323)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp import advertised_window, ecn, user_timeout
from usertcp.tcp.retransmission import Record
from usertcp.tcp.send_buffer import SendBuffer
from usertcp.tcp.settings import DEFAULT, Settings
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import Options, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

TIMESTAMPS_LENGTH: Final = 12  # NOP NOP TIMESTAMPS


def header_length(tcb: Connection) -> int:
    """Bytes of the IP and TCP headers without options."""
    return 40 if len(tcb.local_address) == 4 else 60


def default_mss(address: bytes, settings: Settings = DEFAULT) -> int:
    """What a peer takes that does not say so (RFC 9293 §3.7.1, MUST-15)."""
    return settings.default_mss if len(address) == 4 else settings.default_mss_ipv6


def send_syn(tcb: Connection, now: float) -> None:
    """Choose the initial sequence number and let the SYN out."""
    begin(tcb, tcb.outlet.new_iss(tcb, now))
    record = Record(tcb.iss, tcb.snd_nxt, now, syn=True)
    record.times_sent = 0
    tcb.rtx.add(record)
    tcb.rtx.mark_lost(record)
    tcb.touch()


def repeat_syn(tcb: Connection) -> None:
    """Our SYN, or SYN,ACK, leaves again if it is not acknowledged."""
    if tcb.rtx and tcb.rtx.first.syn:
        tcb.rtx.mark_lost(tcb.rtx.first)
        tcb.touch()


def begin(tcb: Connection, iss: int) -> None:
    """Our sequence begins: SND.UNA = ISS, SND.NXT = ISS+1."""
    tcb.own_mss = announced_mss(tcb)
    tcb.iss = iss
    tcb.snd_una = tcb.iss
    tcb.snd_nxt = tcb.iss + 1
    tcb.send_buffer = SendBuffer(tcb.snd_nxt)
    # A SYN,ACK to a peer that does not scale finds that out before it gets here.
    tcb.rcv_wscale = advertised_window.scale(tcb) if tcb.scaling else 0


def syn_options(tcb: Connection) -> Options:
    """The options of our SYN; a SYN,ACK offers only what the peer's SYN offered."""
    return Options(
        mss=tcb.own_mss,  # RFC 9293 §3.7.1 (MUST-14)
        window_scale=tcb.rcv_wscale if tcb.scaling else None,
        sack_permitted=tcb.sack_ok,
        user_timeout=user_timeout.offered(tcb),
    )


def announced_mss(tcb: Connection) -> int:
    """What we can receive: the path's MTU is no part of it (RFC 1191 §6.4)."""
    mss = min(tcb.path.link_mtu - header_length(tcb), 0xFFFF)
    user_mss = tcb.settings.user_mss
    return mss if user_mss is None else min(mss, user_mss)


def peer_syn(tcb: Connection, segment: Segment, now: float) -> None:
    """Take what the peer's SYN says: IRS, MSS, window scale, timestamps."""
    offered = tcb.rcv_wnd  # by a SYN of ours that went before
    tcb.irs = segment.seq
    tcb.rcv_nxt = segment.seq + 1
    tcb.rcv_adv = tcb.rcv_nxt + offered
    tcb.last_ack_sent = tcb.rcv_nxt
    options = segment.options
    tcb.peer_mss = options.mss or default_mss(tcb.local_address, tcb.settings)  # 0 says nothing
    tcb.scaling = tcb.scaling and options.window_scale is not None
    if tcb.scaling:
        tcb.snd_wscale = options.window_scale or 0
        if tcb.snd_wscale > advertised_window.MAX_WINDOW_SCALE:  # RFC 7323 §2.3
            tcb.outlet.count("window-scale-limited")
            tcb.snd_wscale = advertised_window.MAX_WINDOW_SCALE
    else:
        tcb.snd_wscale = tcb.rcv_wscale = 0
    tcb.timestamps = tcb.timestamps and segment.ts_val is not None
    if tcb.timestamps:
        tcb.ts_recent = segment.ts_val or 0
        tcb.ts_recent_at = now
    tcb.sack_ok = tcb.sack_ok and options.sack_permitted
    user_timeout.take_option(tcb, options)
    ecn.peer_syn(tcb, segment)
    set_mss(tcb)


def set_mss(tcb: Connection) -> None:
    """The peer's SYN has told: the segments of both directions."""
    if tcb.peer_mss < tcb.settings.min_mss:
        tcb.outlet.count("tiny-mss-raised")
        tcb.peer_mss = tcb.settings.min_mss
    options = TIMESTAMPS_LENGTH if tcb.timestamps else 0
    tcb.rcv_mss = min(536, tcb.path.link_mtu - header_length(tcb) - options)
    segment = min(tcb.peer_mss, tcb.path_mtu - header_length(tcb))
    if tcb.settings.round_receive_buffer and tcb.rcv_buf > segment:
        tcb.rcv_buf += -tcb.rcv_buf % segment
    size_segments(tcb)


def size_segments(tcb: Connection) -> None:
    """Eff.snd.MSS (RFC 9293 §3.7.1, MUST-16): what the peer and the path take, less our options."""
    options = TIMESTAMPS_LENGTH if tcb.timestamps else 0
    most = max(min(tcb.peer_mss, tcb.path_mtu - header_length(tcb)), tcb.settings.min_mss)
    if tcb.settings.user_mss is not None:
        most = min(most, tcb.settings.user_mss)
    if tcb.settings.mss_within_half_window and tcb.max_snd_wnd:
        window = tcb.max_snd_wnd
        most = min(most, options + max(window >> 1 if window > _SMALL_WINDOW else window, _LEAST_MSS))
    tcb.snd_mss = tcb.segment_size = most - options
    if tcb.gso_payload:
        tcb.gso_payload = max(1, _LARGEST_PAYLOAD // tcb.snd_mss) * tcb.snd_mss
    tcb.congestion.set_mss(tcb.snd_mss)


#: Of a peer whose largest window is not above this, the whole window may be a segment.
_SMALL_WINDOW: Final = 536
_LEAST_MSS: Final = 48

#: 65535 less the largest headers: what one super-segment can carry.
_LARGEST_PAYLOAD: Final = 65535 - 60 - 60


def timestamp(tcb: Connection, now: float) -> int:
    """Our timestamp clock: milliseconds (RFC 7323 §5.4)."""
    return (int(now * 1000) + tcb.ts_offset) & MASK
