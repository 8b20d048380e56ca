"""What a listener does with a SYN, and with the ACK that answers a SYN cookie.

Each SYN that finds room makes a child, a whole :class:`~usertcp.tcp.connection.Connection` in
SYN-RECEIVED: the backlog bounds them, and so there is no need of a smaller kind of child with a state
machine of its own.  A child has its place in the accept queue from the start, so its SYN,ACK is a promise
that is kept.  Once all places are taken by half-open children, SYNs are answered with cookies
(:mod:`.syn_cookies`), which cost nothing and promise nothing.  While the accept queue itself is full, SYNs
and ACKs are dropped, for the peer to try again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.stack import fast_open, strays, syn_cookies
from usertcp.stack.listener import Listener
from usertcp.tcp import advertised_window, opening, output, telling
from usertcp.tcp.states import Event
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import Segment

if TYPE_CHECKING:
    from usertcp.stack.host import Host
    from usertcp.tcp.connection import Connection


def syn_arrives(
    host: Host, listener: Listener, key: bytes, src: bytes, dst: bytes, syn: Segment, now: float, iss_after: int
) -> None:
    """RFC 9293 §3.10.7.2, third: a child, a cookie, or nothing.

    ``iss_after``: where the sequence of an earlier connection between these sockets ended; 0 for none.
    """
    if listener.accept_queue_full or len(host.connections) >= host.config.max_connections:
        strays.refused(host, src, dst, syn, "backlog-full", "3.10.7.2", now)
    elif not listener.full:
        child = host.new_connection(key, dst, syn.dst_port, src, syn.src_port, now, "passive", listener.settings)
        child.iss = iss_after
        child.listener = listener
        listener.half_open.add(child)
        child.open_passive(now)
        if listener.fast_open.most and child.settings.fast_open:
            _fast_open(host, listener, child, src + dst, syn, now)
        child.segment_arrives(syn, now)
        if child.early:
            host.hand_over(child)
    elif not host.config.syn_cookies or not _answer_with_cookie(host, listener, key, src, dst, syn, now):
        strays.refused(host, src, dst, syn, "backlog-full", "RFC 4987 §3.1", now)
    else:
        listener.cookies_until = now + syn_cookies.LIFETIME


def _fast_open(host: Host, listener: Listener, child: Connection, addresses: bytes, syn: Segment, now: float) -> None:
    """RFC 7413 §4.2.2, the server's steps 2 to 5: take the data, give a (new) cookie, or do as if nothing was."""
    cookie = syn.options.fast_open
    if cookie is None:
        cookie = syn.options.fast_open_experiment
        child.fast_open_experiment = cookie is not None
    needed = child.settings.fast_open_server_cookie
    if cookie is None and (needed or not syn.payload):
        return
    if not listener.fast_open.room(now):
        host.count("fast-open-held-back")
        return
    if cookie is None or not needed:
        _take_data(host, listener, child)
        return
    keys = listener.fast_open_keys or host.config.fast_open_keys
    right = fast_open.keyed_cookies(keys, addresses) if keys else fast_open.cookies(host.secret, addresses, now)
    if cookie and fast_open.is_valid(cookie, right):
        _take_data(host, listener, child)
    elif cookie:
        telling.handshake(child, "Fast Open: the cookie is wrong, or too old", "RFC 7413 §4.1.2", now)
        host.count("fast-open-invalid")
    if cookie != right[0]:
        telling.handshake(child, "Fast Open: the client gets a cookie", "RFC 7413 §4.1.2", now)
        host.count("fast-open-cookies-sent")
        child.fast_open = right[0]


def _take_data(host: Host, listener: Listener, child: Connection) -> None:
    host.count("fast-open-taken")
    child.early = True
    listener.fast_open.add(child)


def _answer_with_cookie(
    host: Host, listener: Listener, key: bytes, src: bytes, dst: bytes, syn: Segment, now: float
) -> bool:
    """The SYN,ACK of a child that is forgotten as soon as it has spoken.  False: no cookie can say it."""
    child = host.connection_block(0, key, dst, syn.dst_port, src, syn.src_port, listener.settings, now)
    if not child.timestamps or syn.ts_val is None:
        syn = syn_cookies.without_memory(syn)
    opening.peer_syn(child, syn, now)
    cookie = syn_cookies.make(host.secret, key, syn.seq, child.peer_mss, now)
    if cookie is None:
        return False
    opening.begin(child, cookie)
    if child.timestamps:
        clock = opening.timestamp(child, now)
        child.ts_offset -= clock - syn_cookies.timestamp(clock, syn.options, ecn=child.ecn.listens)
    strays.arrived(host, src, dst, syn, now)
    output.send_syn(child, now)
    host.count("syn-cookies-sent")
    return True


def ack_arrives(
    host: Host, listener: Listener, key: bytes, src: bytes, dst: bytes, ack: Segment, now: float
) -> bool:
    """An ACK for no connection: the child that a cookie stood for, if it does acknowledge a cookie.

    False: it does not, and gets the RST of RFC 9293 §3.10.7.2, second.  Not so data, which may have overtaken
    the segment that acknowledges the cookie: it is dropped, and will come again.
    """
    if now > listener.cookies_until:
        return False
    syn = syn_cookies.syn_of(host.secret, key, ack, now)
    if syn is None:
        if not ack.payload:
            host.count("syn-cookies-failed")
            return False
        strays.refused(host, src, dst, ack, "syn-cookies-failed", "RFC 4987 §3.6", now)
        return True
    host.count("syn-cookies-valid")
    if listener.accept_queue_full or len(host.connections) >= host.config.max_connections:
        strays.refused(host, src, dst, ack, "accept-queue-full", "RFC 4987 §3.6", now)
        return True
    child = host.new_connection(key, dst, ack.dst_port, src, ack.src_port, now, "passive", listener.settings)
    child.listener = listener
    listener.half_open.add(child)
    child.open_passive(now)
    telling.handshake(child, "it begins with the SYN cookie that comes back", "RFC 4987 §3.6", now)
    opening.peer_syn(child, syn, now)
    child.step(Event.RCV_SYN, now)
    # Nobody remembers when the SYN,ACK went out, so it is not on the retransmission queue.
    opening.begin(child, (ack.ack - 1) & MASK)
    child.rcv_adv = child.rcv_nxt + advertised_window.syn_promise(child)
    child.segment_arrives(ack, now)
    return True
