"""What a host counts, every name with its meaning.

A name is made here or nowhere: :meth:`Counters.count` raises on any other, so a typing mistake is found
by the first test that comes along, and ``GET /stats`` and the documentation can explain each number.
"""

from __future__ import annotations

from typing import Final

from usertcp.wire.malformed import Malformed

_FRAGMENTS: Final = {
    "fragment-timeout": "datagrams given up because fragments were missing for too long (RFC 8200 §4.5)",
    "fragment-overlap": "datagrams given up because two fragments overlap (RFC 5722)",
    "fragment-contradictory-end": "datagrams given up because fragments disagree about where they end",
    "fragment-of-given-up": "fragments of a datagram that was given up before",
    "fragment-duplicate": "fragments received twice, and ignored",
    "fragment-ecn-mixed": "datagrams given up: one fragment marked, another not ECN-capable (RFC 3168 §5.3)",
    "fragment-empty": "fragments without a payload",
    "fragment-length": "fragments but the last whose length is no multiple of 8 bytes",
    "fragment-too-big": "fragments that reach past the largest datagram",
    "fragment-evicted": "datagrams given up, oldest first, to stay within the memory for reassembly",
    "fragments-received": "fragments of any kind",
    "fragments-sent": "fragments sent, of answers to pings that do not fit the MTU",
    "fragment-in-fragment": "datagrams put together that were fragments again",
    "datagrams-reassembled": "datagrams put together from fragments",
}

_TCP: Final = {
    "accept-deferred": "ACKs that would have ended a handshake, passed over because data is waited for",
    "ack-of-unsent": "segments that acknowledge what was never sent",
    "ack-too-old": "segments whose acknowledgment is older than any window we offered (RFC 5961 §5)",
    "ack-unacceptable": "segments that acknowledge the wrong thing during the handshake",
    "challenge-acks": "challenge ACKs sent (RFC 5961)",
    "challenge-acks-held-back": "challenge ACKs not sent because of their rate limit (RFC 5961 §7)",
    "data-after-close": "data that arrived after the application had gone",
    "ecn-fallbacks": "SYNs sent again without asking for ECN (RFC 3168 §6.1.1.1)",
    "ecn-marks-received": "data segments that a router had marked (RFC 3168)",
    "ecn-reductions": "windows reduced because the peer echoed a mark (RFC 3168 §6.1.2)",
    "backoffs-reverted": "doublings of a retransmission timer taken back since there was no route (RFC 6069)",
    "fast-open-cookies-sent": "Fast Open cookies given to clients (RFC 7413)",
    "fast-open-data-refused": "SYNs of ours whose data was not acknowledged, so that it was sent again",
    "fast-open-data-sent": "SYNs of ours with data",
    "fast-open-held-back": "SYNs with data treated as plain ones because too many were pending (RFC 7413 §5.1)",
    "fast-open-invalid": "SYNs with a Fast Open cookie that was wrong or too old",
    "fast-open-taken": "SYNs whose data was taken before the handshake ended",
    "icmp-not-outstanding": "ICMP errors that quote no sequence number in flight (RFC 5927 §4.1)",
    "keepalives-sent": "keep-alive probes sent (RFC 9293 §3.8.4)",
    "no-ack": "segments without ACK where there must be one",
    "no-syn": "segments without SYN or RST during the handshake",
    "old-duplicate": "segments with nothing new",
    "orphans-aborted": "connections without an application that were reset because there were too many",
    "out-of-order-memory": "segments not kept because all connections together hold too much out of order",
    "out-of-order": "segments kept behind a gap",
    "outside-window": "segments outside the receive window",
    "paws": "segments with an old timestamp (RFC 7323 §5)",
    "timestamp-missing": "segments without the timestamp that the connection has agreed on (RFC 7323 §3.2)",
    "packet-too-big-ignored": "ICMP packet-too-big messages that would not make our packets smaller, or too small",
    "path-mtu-black-holes": "paths on which full-sized segments seemed to vanish (RFC 4821 §7.7)",
    "path-mtu-probes": "larger segments sent to find out what the path takes (RFC 4821 §7.3)",
    "path-mtu-probes-lost": "of these, those that did not arrive",
    "path-mtu-reduced": "ICMP packet-too-big messages that made our packets smaller (RFC 1191, RFC 8201)",
    "r1-reached": "connections that passed the R1 threshold of retransmissions",
    "dsacks-received": "reports of duplicates (RFC 2883)",
    "recoveries-undone": "recoveries that turned out to be mistaken (RFC 4015)",
    "reset-in-time-wait": "RSTs in TIME-WAIT, which they do not end (RFC 1337)",
    "reset-not-exact": "RSTs in the window, but not at RCV.NXT (RFC 5961 §3)",
    "reset-outside-window": "RSTs outside the receive window",
    "reset-without-ack": "RSTs without ACK in answer to a SYN",
    "resets-sent": "RSTs sent",
    "sack-reneged": "peers that threw away what they had acknowledged selectively (RFC 2018 §8)",
    "tail-loss-probes": "tail loss probes sent (RFC 8985 §7)",
    "retransmission-timeouts": "retransmission timers that expired",
    "retransmissions": "segments sent again",
    "text-beyond-window": "segments cut off at the end of the receive window",
    "timed-out": "connections given up after the R2 threshold of retransmissions",
    "tiny-mss-raised": "peers whose announced MSS was too small to be believed",
    "too-many-gaps": "segments not kept because there were too many gaps",
    "window-closed": "segments that arrived while the receive window was closed",
    "window-probes": "probes of a closed window sent",
    "window-scale-limited": "SYNs with a window scale above 14, taken for 14 (RFC 7323 §2.3)",
}

_HOST: Final = {
    "accept-queue-full": "ACKs of SYN cookies not taken because nobody accepted the connections before them",
    "backlog-full": "SYNs not answered because the listener's backlog was full",
    "connections-established": "connections that reached ESTABLISHED",
    "connections-opened": "connections opened, actively or passively",
    "echo-replies": "pings answered",
    "icmp-errors-received": "ICMP errors that quote a segment of one of our connections",
    "icmp-held-back": "ICMP messages not sent because of their rate limit (RFC 4443 §2.4(f))",
    "icmp-ignored": "ICMP messages that a TCP host has nothing to do with",
    "icmp-no-connection": "ICMP errors that quote a segment of no connection",
    "multicast-ignored": "packets for a multicast group; we are in none",
    "no-connection": "segments for no connection and no listener",
    "not-our-address": "packets to somebody else",
    "port-zero": "segments from or to port 0",
    "resets-held-back": "RSTs not sent because of their rate limit",
    "source-is-us": "packets that claim to come from our own address (LAND)",
    "source-not-a-host": "packets from broadcast, multicast, loopback or unspecified addresses",
    "syn-cookies-failed": "segments for no connection that acknowledge no SYN cookie, while some were valid",
    "syn-cookies-sent": "SYNs answered with a cookie (RFC 4987 §3.6)",
    "syn-cookies-valid": "segments that acknowledge a SYN cookie",
    "time-exceeded-sent": "ICMP time exceeded messages sent for datagrams that stayed incomplete",
    "udp-port-closed": "UDP datagrams, for which no port is open here",
    "unknown-protocol": "packets of a protocol that is neither TCP, UDP nor ICMP",
    "unreachables-sent": "ICMP unreachable and parameter problem messages sent",
}

#: Every name and its meaning in one line.
NAMES: Final[dict[str, str]] = {
    **{reason.value: reason.meaning for reason in Malformed},
    **_FRAGMENTS,
    **_TCP,
    **_HOST,
}


class Counters:
    """One host's counters, all starting at 0."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)

    def count(self, name: str, by: int = 1) -> None:
        """Raises KeyError for a name that is not in :data:`NAMES`."""
        self._counts[name] += by

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[str, int]:
        """A copy of all counters, the zeros included."""
        return self._counts.copy()
