"""TCP Fast Open (RFC 7413) as one connection sees it: data in the SYN.

A client's data goes with its SYN where it has a cookie of the server; what the server does not take goes
again with the ACK that ends the handshake.  A server that finds the cookie right hands the data over in
SYN-RECEIVED (``tcb.early``), where data of its own may leave, too; CLOSE waits for ESTABLISHED as always
(RFC 9293 §3.10.4).  Nothing repeated carries an option or data (RFC 7413 §4.2.2): what was lost may have
been lost because of them.

Which cookie is right, and whose we know, is the host's: see :mod:`usertcp.stack.fast_open`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from usertcp.tcp import opening, output, telling
from usertcp.tcp.retransmission import Record
from usertcp.tcp.states import SYN_SENT
from usertcp.tcp.wakeup import READABLE
from usertcp.wire.option_layout import LAYOUTS
from usertcp.wire.tcp import SYN, Buffer, Options, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A larger SYN than of usual size only makes trouble on the way (RFC 7413 §4.1.3).
_USUAL_MSS: Final = {4: 1460, 16: 1440}


class FastOpenOutcome(IntEnum):
    """What came of it."""

    #: Nothing was tried, or nothing is known yet.
    NONE = 0
    #: There was no cookie for our data.
    NO_COOKIE = 1
    #: Our data was not acknowledged with the SYN.
    NOT_ACKNOWLEDGED = 2
    #: Our SYN had to be repeated.
    REPEATED = 3
    #: Data went with the SYN, ours or the peer's.
    TAKEN = 4


# -- The client --------------------------------------------------------------------------------------


def prepare(tcb: Connection, cookie: bytes, server_mss: int | None, *, experiment: bool = False) -> None:
    """Before OPEN: our SYN brings ``cookie``, or asks for one (``b""``), by the option or by its ``experiment``.

    ``server_mss``: what the server announced when it gave the cookie; None: unknown.
    """
    tcb.fast_open = cookie
    tcb.fast_open_experiment = experiment
    if server_mss is not None:
        tcb.peer_mss = min(server_mss, _USUAL_MSS[len(tcb.local_address)])
    opening.set_mss(tcb)


def syn_room(tcb: Connection) -> int:
    """How much data a SYN of ours brings at most: none without a cookie, none where a long one leaves no room for
    all options (-1; RFC 7413 §4.2.2, step 1a)."""
    settings = tcb.settings
    if tcb.state is not SYN_SENT or tcb.fast_open is None:
        return 0
    if not tcb.fast_open and settings.fast_open_client_cookie:
        tcb.fast_open_outcome = FastOpenOutcome.NO_COOKIE
        return 0
    try:
        options = _with_option(tcb, opening.syn_options(tcb))
        used = len(LAYOUTS[settings.option_layout](SYN, 0 if tcb.timestamps else None, 0, options))
    except ValueError:
        return -1
    used = max(used, settings.syn_data_reserve)
    return max(0, min(tcb.peer_mss, tcb.path_mtu - opening.header_length(tcb)) - used)


def _with_option(tcb: Connection, options: Options) -> Options:
    """The option of our SYN or SYN,ACK, in the form that the peer knows."""
    if tcb.state is SYN_SENT and not tcb.settings.fast_open_client_cookie:
        return options
    if tcb.fast_open_experiment:
        return options._replace(fast_open_experiment=tcb.fast_open)
    return options._replace(fast_open=tcb.fast_open)


def add_to_syn(tcb: Connection, options: Options, now: float) -> tuple[Options, Buffer]:
    """The option, and in a client's SYN the data, of a SYN or SYN,ACK that leaves for the first time."""
    room = syn_room(tcb)
    if room < 0:
        return options, b""
    options = _with_option(tcb, options)
    length = min(room, len(tcb.send_buffer))
    if length <= 0:
        return options, b""
    tcb.outlet.count("fast-open-data-sent")
    telling.handshake(tcb, f"Fast Open: {length} bytes go with our SYN", "RFC 7413 §4.2.2", now)
    tcb.fast_open_outcome = FastOpenOutcome.TAKEN  # unless we hear otherwise
    record = Record(tcb.snd_nxt, tcb.snd_nxt + length, now)
    output.stamp(tcb, record, now)
    tcb.rtx.add(record)
    tcb.snd_nxt = record.end
    tcb.bytes_sent += length
    return options, tcb.send_buffer.view(record.seq, length)


def answered(tcb: Connection, syn_ack: Segment, now: float, *, again: bool) -> None:
    """The SYN,ACK has come (RFC 7413 §4.2.2); ``again``: after our SYN had to be repeated.

    A server that takes no data, or answers only a SYN without it, is left alone for a while (§4.1.3.1),
    unless it gives a cookie for the next time.
    """
    options = syn_ack.options
    cookie = options.fast_open_experiment if tcb.fast_open_experiment else options.fast_open
    refused = bool(tcb.rtx)
    if refused:
        tcb.outlet.count("fast-open-data-refused")
        telling.handshake(tcb, "Fast Open: the server did not take the data of our SYN", "RFC 7413 §4.2.2", now)
        tcb.fast_open_outcome = FastOpenOutcome.REPEATED if again else FastOpenOutcome.NOT_ACKNOWLEDGED
        tcb.rtx.mark_all_lost()
    if cookie:
        telling.handshake(tcb, "Fast Open: the server gives a cookie for the next time", "RFC 7413 §4.1.3", now)
        tcb.outlet.fast_open_cookie(tcb, cookie)
    elif refused or again:
        tcb.outlet.fast_open_failed(tcb)
    elif not tcb.fast_open and cookie is None:
        tcb.outlet.fast_open_unknown(tcb)


# -- The server --------------------------------------------------------------------------------------


def take_early(tcb: Connection, now: float) -> None:
    """The text of a SYN with a right cookie goes to the application before the handshake ends."""
    before = tcb.rcv_nxt
    tcb.rcv_nxt = tcb.receive_buffer.pull(before)
    tcb.bytes_received += tcb.rcv_nxt - before
    if tcb.rcv_nxt > before:
        what = f"Fast Open: the cookie is right, {tcb.rcv_nxt - before} bytes are taken before the handshake is over"
        telling.handshake(tcb, what, "RFC 7413 §4.2.2", now)
        tcb.fast_open_outcome = FastOpenOutcome.TAKEN
    tcb.notify(READABLE)
