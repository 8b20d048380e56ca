"""TCP Fast Open (RFC 7413) as one connection sees it: data in the SYN.

A client's data goes with its SYN where it has a cookie of the server; what the server does not take goes
again with the ACK that ends the handshake.  A server that finds the cookie right hands the data over in
SYN-RECEIVED (``tcb.early``), where data of its own may leave, too; CLOSE waits for ESTABLISHED as always
(RFC 9293 §3.10.4).  Nothing repeated carries an option or data (RFC 7413 §4.2.2): what was lost may have
been lost because of them.

Which cookie is right, and whose we know, is the host's: see :mod:`usertcp.stack.fast_open`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp import opening, output
from usertcp.tcp.retransmission import Record
from usertcp.tcp.states import State
from usertcp.tcp.wakeup import READABLE
from usertcp.wire.option_layout import LAYOUTS
from usertcp.wire.tcp import SYN, Buffer, Options, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A larger SYN than of usual size only makes trouble on the way (RFC 7413 §4.1.3).
_USUAL_MSS: Final = {4: 1460, 16: 1440}


# -- The client --------------------------------------------------------------------------------------


def prepare(tcb: Connection, cookie: bytes, server_mss: int | None) -> None:
    """Before OPEN: our SYN brings ``cookie``, or asks for one (``b""``).

    ``server_mss``: what the server announced when it gave the cookie; None: unknown.
    """
    tcb.fast_open = cookie
    if server_mss is not None:
        tcb.peer_mss = min(server_mss, _USUAL_MSS[len(tcb.local_address)])
    opening.set_mss(tcb)


def syn_room(tcb: Connection) -> int:
    """How much data a SYN of ours brings at most: none without a cookie, none where a long one leaves no room for
    all options (-1; RFC 7413 §4.2.2, step 1a)."""
    if tcb.state is not State.SYN_SENT or not tcb.fast_open:
        return 0
    options = opening.syn_options(tcb)._replace(fast_open=tcb.fast_open)
    try:
        used = len(LAYOUTS[tcb.settings.option_layout](SYN, 0 if tcb.timestamps else None, 0, options))
    except ValueError:
        return -1
    return max(0, min(tcb.peer_mss, tcb.path_mtu - opening.header_length(tcb)) - used)


def add_to_syn(tcb: Connection, options: Options, now: float) -> tuple[Options, Buffer]:
    """The option, and in a client's SYN the data, of a SYN or SYN,ACK that leaves for the first time."""
    room = syn_room(tcb)
    if room < 0:
        return options, b""
    options = options._replace(fast_open=tcb.fast_open)
    length = min(room, len(tcb.send_buffer))
    if length <= 0:
        return options, b""
    tcb.outlet.count("fast-open-data-sent")
    record = Record(tcb.snd_nxt, tcb.snd_nxt + length, now)
    output.stamp(tcb, record, now)
    tcb.rtx.add(record)
    tcb.snd_nxt = record.end
    tcb.bytes_sent += length
    return options, tcb.send_buffer.view(record.seq, length)


def answered(tcb: Connection, syn_ack: Segment, *, again: bool) -> None:
    """The SYN,ACK has come (RFC 7413 §4.2.2); ``again``: after our SYN had to be repeated.

    A server that takes no data, or answers only a SYN without it, is left alone for a while (§4.1.3.1),
    unless it gives a cookie for the next time.
    """
    cookie = syn_ack.options.fast_open
    refused = bool(tcb.rtx)
    if refused:
        tcb.outlet.count("fast-open-data-refused")
        tcb.rtx.mark_all_lost()
    if cookie:
        tcb.outlet.fast_open_cookie(tcb, cookie)
    elif refused or again:
        tcb.outlet.fast_open_failed(tcb)


# -- The server --------------------------------------------------------------------------------------


def take_early(tcb: Connection) -> None:
    """The text of a SYN with a right cookie goes to the application before the handshake ends."""
    before = tcb.rcv_nxt
    tcb.rcv_nxt = tcb.receive_buffer.pull(before)
    tcb.bytes_received += tcb.rcv_nxt - before
    tcb.notify(READABLE)
