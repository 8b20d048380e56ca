"""How large a segment may be: what ICMP says of it, and what can be found out without ICMP.

A router that cannot forward a packet whole says so (RFC 1191, RFC 8201); it is believed as far as RFC 5927
§7.2 lets.  Where nobody says anything and full-sized segments vanish, the segments become small, and
segments that are a little larger probe the path again (RFC 4821, RFC 8899).

"Packet" counts the IP header, "segment" only the data.  All sizes are bytes.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import opening, output, telling
from usertcp.tcp.events import Kind
from usertcp.tcp.recovery import LOSS, OPEN, own
from usertcp.tcp.retransmission import Record
from usertcp.tcp.states import CLOSED
from usertcp.wire.seq import unwrap

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: No packet becomes smaller: the minimum of IPv6 (RFC 8201 §4), and for IPv4, whose minimum of 68 bytes no
#: link has and every attacker would like us to use, the one that other systems use.
MINIMUM_V4: Final = 552
MINIMUM_V6: Final = 1280
#: For routers that do not say what they would take (RFC 1191 §7, table 7-1).
_PLATEAUS: Final = (32000, 17914, 8166, 4352, 2002, 1492, 1006)

#: A wider path is looked for after so many seconds (RFC 1191 §6.3, RFC 8899 §5.1.1: PMTU_RAISE_TIMER).
RAISE_INTERVAL: Final = 600.0
#: Timeouts of one segment in a row that make a black hole of the path.
_BLACK_HOLE: Final = 2
#: Packets that surely pass (RFC 4821 §7.2), tried in turn: segments of 1024 and of 512 bytes with IPv4.
_BASES_V4: Final = (1064, MINIMUM_V4)
_BASES_V6: Final = (MINIMUM_V6,)
#: The search ends when the answer is known to so many bytes.
_CLOSE_ENOUGH: Final = 8
#: Segments behind a probe, by which its loss is found without a timeout (RFC 4821 §7.4).
_FOLLOWERS: Final = 3


class Path:
    """What one connection knows of the path's MTU; times are seconds, sequence numbers unbounded."""

    __slots__ = (
        "high", "largest_acked", "link_mtu", "low", "pending", "pending_seq", "probe", "probe_end", "probe_size",
        "search_at", "since", "untried",
    )  # fmt: skip

    def __init__(self, link_mtu: int) -> None:
        #: The largest packet of our own link.
        self.link_mtu = link_mtu
        #: The largest packet of ours that is known to have arrived (maxsizeacked of RFC 5927 §7.2).
        self.largest_acked = 0
        #: SND.NXT when the size changed last.
        self.since = -1
        #: What an ICMP message claims that is not believed yet, and the segment that it quotes; 0: none.
        self.pending = 0
        self.pending_seq = -1
        #: When to look for a wider path.
        self.search_at = inf
        #: The search: ``low`` is known to pass, ``high`` is the largest that may; 0: no search is going on.
        self.low = 0
        self.high = 0
        #: ``high`` itself was not probed yet.
        self.untried = False
        #: The probe in the network, where it ends, and its packet's size.
        self.probe: Record | None = None
        self.probe_end = -1
        self.probe_size = 0


def minimum(tcb: Connection) -> int:
    """The least path MTU that we believe in."""
    return tcb.settings.min_path_mtu if len(tcb.local_address) == 4 else MINIMUM_V6


def _overhead(tcb: Connection) -> int:
    return opening.header_length(tcb) + (opening.TIMESTAMPS_LENGTH if tcb.timestamps else 0)


# -- ICMP packet too big -----------------------------------------------------------------------------


def packet_too_big(tcb: Connection, claimed: int, seq: int, now: float) -> None:
    """A router says that a packet of ours was longer than the ``claimed`` bytes that its next hop takes.

    ``seq`` is the quoted segment's, as on the wire; a ``claimed`` of 0 is a router older than RFC 1191.
    """
    path = tcb.path
    quoted = unwrap(seq, tcb.snd_una)
    record = tcb.rtx.covering(quoted)
    if record is None or tcb.state is CLOSED:  # RFC 5927 §4.1
        tcb.outlet.count("icmp-not-outstanding")
        return
    if len(tcb.local_address) == 4:
        if not claimed:
            claimed = next((size for size in _PLATEAUS if size < tcb.path_mtu), 0)
        claimed = max(claimed, tcb.settings.min_path_mtu)
    if path.probe is not None and quoted == path.probe.seq and tcb.path_mtu <= claimed < path.probe_size:
        _tell_icmp(tcb, claimed, "it answers our probe", now)
        path.high = claimed
        path.untried = True
        _probe_is_lost(tcb, now)
        return
    size = tcb.segment_size
    if tcb.settings.path_mtu_checks:
        size = min(size, record.end - quoted)
    elif len(tcb.local_address) == 4:
        size = tcb.path_mtu
    size += _overhead(tcb)
    if claimed < minimum(tcb) or claimed >= min(size, tcb.path_mtu):
        # RFC 8201 §4, RFC 5927 §7.2; and the second of a burst tells nothing new (RFC 1191 §6.4).
        tcb.outlet.count("packet-too-big-ignored")
        _tell_icmp(tcb, claimed, "ignored: it does not make our packets smaller", now)
    elif tcb.settings.path_mtu_checks and claimed < path.largest_acked and record.times_sent == 1:
        # Larger packets have arrived: first see whether this one does.
        path.pending = claimed
        path.pending_seq = quoted
        _tell_icmp(tcb, claimed, "waits: larger packets have arrived before (RFC 5927 §7.2)", now)
    else:
        _tell_icmp(tcb, claimed, "believed", now)
        _believe(tcb, claimed, now)


def _believe(tcb: Connection, claimed: int, now: float) -> None:
    tcb.path.high = 0
    tcb.path.search_at = now + RAISE_INTERVAL
    tcb.outlet.count("path-mtu-reduced")
    _become_smaller(tcb, claimed, "a router on the path takes no larger packets", now)
    tcb.outlet.path_mtu_found(tcb, now)


def _become_smaller(tcb: Connection, mtu: int, why: str, now: float) -> None:
    """What is outstanding and too large goes out again at once; that is no congestion (RFC 1191 §6.4)."""
    before = tcb.snd_mss
    _change(tcb, mtu, why, now)
    tcb.path.largest_acked = min(tcb.path.largest_acked, mtu)
    lost_before = tcb.rtx.ever_lost
    for record in tcb.rtx:
        if min(record.end - record.seq, before) > tcb.snd_mss and not record.syn:
            tcb.rtx.mark_lost(record)
    tcb.loss_reported += tcb.rtx.ever_lost - lost_before  # the congestion controller need not know
    if tcb.recovery.active:
        tcb.touch()  # recovery sends it again at its own pace
    else:
        _resend_lost(tcb, "in packets that the path takes", now)
        if tcb.usage is not None and tcb.rtx.repairing:
            # systems that count segments take this for the end of a timeout's recovery, but for the window
            recovery = own(tcb)
            recovery.enter(LOSS)
            recovery.recover = tcb.snd_nxt
            recovery.undo_una = None


def _resend_lost(tcb: Connection, rule: str, now: float) -> None:
    """All of it: no more than was in the network before."""
    most = tcb.largest_burst(tcb)
    while (record := output.next_lost(tcb, most)) is not None:
        output.resend(tcb, record, now, rule)


def _change(tcb: Connection, mtu: int, why: str, now: float) -> None:
    tcb.path_mtu = mtu
    tcb.path.since = tcb.snd_nxt
    opening.size_segments(tcb)
    _tell(tcb, why, now)


# -- What arrives, and what does not -----------------------------------------------------------------


def delivered(tcb: Connection, newest: Record) -> None:
    """Something has arrived, ``newest`` the last of it to be sent."""
    path = tcb.path
    if newest.seq >= path.since:
        size = min(newest.end - newest.seq, tcb.snd_mss) + _overhead(tcb)
        path.largest_acked = max(path.largest_acked, size)
    if path.probe is not None and tcb.snd_una >= path.probe_end:
        whole = path.probe.times_sent == 1
        path.probe = None
        if whole:
            _probe_has_arrived(tcb)


def on_timeout(tcb: Connection, now: float) -> None:
    """The retransmission timer fired for data, and what is lost is marked."""
    path = tcb.path
    path.probe = None  # that it was lost too says nothing
    claimed, path.pending = path.pending, 0
    if claimed and claimed < tcb.path_mtu and tcb.snd_una <= path.pending_seq:
        _believe(tcb, claimed, now)  # RFC 5927 §7.2, with MAXSEGRTO = 1
    elif tcb.settings.mtu_probing and (tcb.rtt.backoffs + 1) % _BLACK_HOLE == 0:
        _suspect_black_hole(tcb, now)


def _suspect_black_hole(tcb: Connection, now: float) -> None:
    """Full-sized segments get no answer and no error (RFC 4821 §7.7): become small, then search again."""
    first = tcb.rtx.first
    size = min(first.end - first.seq, tcb.snd_mss) + _overhead(tcb)
    bases = _BASES_V4 if len(tcb.local_address) == 4 else _BASES_V6
    base = next((base for base in bases if base < size), None)
    if base is None:
        return
    tcb.outlet.count("path-mtu-black-holes")
    _become_smaller(tcb, base, "full-sized segments vanish without a word: smaller ones may pass", now)
    tcb.path.high = 0
    tcb.path.search_at = now if tcb.sack_ok else now + RAISE_INTERVAL


# -- Looking for more --------------------------------------------------------------------------------


def search(tcb: Connection, now: float) -> bool:
    """Before new data, once ``search_at`` has come: a wider path is looked for.

    Returns whether other new data has to wait, until acknowledgments have made room for a probe.

    By probes, whose loss costs nothing (RFC 4821 §7.5); without SACK such a loss would look like
    congestion, so there the full size is simply tried again (RFC 1191 §6.3).
    """
    path = tcb.path
    if not tcb.sack_ok or not tcb.settings.mtu_probing:
        path.search_at = inf
        if tcb.path_mtu < path.link_mtu:
            _change(tcb, path.link_mtu, "the path may have become wider: full-sized segments again", now)
        return False
    if path.probe is not None or tcb.recovery.state is not OPEN or tcb.rtx.lost:
        return False
    if not path.high:
        path.low = tcb.path_mtu
        path.high = min(path.link_mtu, tcb.peer_mss + opening.header_length(tcb))
        path.untried = True
    if path.high - path.low < (1 if path.untried else _CLOSE_ENOUGH):
        _search_is_over(tcb, now)
        return False
    return _send_probe(tcb, path.high if path.untried else (path.low + path.high + 1) // 2, now)


def _search_is_over(tcb: Connection, now: float) -> None:
    tcb.path.high = 0
    tcb.path.search_at = now + RAISE_INTERVAL if tcb.path_mtu < tcb.path.link_mtu else inf
    _tell(tcb, "the search is over", now)
    tcb.outlet.path_mtu_found(tcb, now)


def _send_probe(tcb: Connection, size: int, now: float) -> bool:
    """One segment that is larger than the rest, if there is enough behind it to show its loss.

    Returns whether it only waits for room.
    """
    length = size - _overhead(tcb)
    all_of_it = length + _FOLLOWERS * tcb.snd_mss
    if min(tcb.send_buffer.end - tcb.snd_nxt, tcb.snd_wnd, tcb.congestion.cwnd) < all_of_it:
        return False
    window = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    room = tcb.congestion.cwnd - tcb.in_flight
    if min(window, room) < length:
        return bool(tcb.rtx)
    tcb.segment_size = length  # one segment, not to be cut
    telling.probe(tcb, "path-mtu", 1, "RFC 4821 §7.3", now)
    record = output.send_first(tcb, length, now, fin=False)
    tcb.segment_size = tcb.snd_mss
    path = tcb.path
    path.probe = record
    path.probe_end = record.end
    path.probe_size = size
    tcb.outlet.count("path-mtu-probes")
    _tell(tcb, f"a probe of {size} bytes", now)
    return False


def _probe_has_arrived(tcb: Connection) -> None:
    path = tcb.path
    path.low = path.probe_size
    path.untried = False
    path.largest_acked = path.probe_size
    _change(tcb, path.probe_size, "the probe has arrived", tcb.last_arrival)


def look_at_probe(tcb: Connection, now: float) -> None:
    """Losses were looked for.  The probe alone was lost: it was too large (RFC 4821 §7.6.2).

    With other losses beside it nothing is known of it, and it will be tried again.
    """
    path = tcb.path
    probe = path.probe
    if probe is None or not probe.lost:
        return
    if tcb.recovery.active or tcb.rtx.lost > probe.end - probe.seq:
        path.probe = None
        return
    path.high = path.probe_size - 1
    path.untried = False
    _probe_is_lost(tcb, now)


def _probe_is_lost(tcb: Connection, now: float) -> None:
    """Sent again at once in segments of the usual size, and no congestion (RFC 4821 §7.5)."""
    path = tcb.path
    assert path.probe is not None
    tcb.outlet.count("path-mtu-probes-lost")
    _tell(tcb, f"the probe of {path.probe_size} bytes did not arrive", now)
    tcb.rtx.mark_lost(path.probe)
    if path.probe.lost:
        tcb.loss_reported += path.probe.end - path.probe.seq  # the congestion controller need not know
    path.probe = None
    if tcb.recovery.active:
        tcb.touch()
    else:
        _resend_lost(tcb, "the data of a probe", now)


# -- Shared ------------------------------------------------------------------------------------------


def _tell(tcb: Connection, what: str, now: float) -> None:
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.PATH_MTU, now, tcb.number, what, tcb.path_mtu, tcb.snd_mss))


def _tell_icmp(tcb: Connection, claimed: int, effect: str, now: float) -> None:
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.ICMP_IN, now, tcb.number, f"packet too big, the next hop takes {claimed} bytes", effect))
