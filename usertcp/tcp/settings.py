"""Every number that shapes a connection, in one place: its unit, its default, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How a connection behaves.  Times are seconds, sizes are bytes."""

    #: Maximum segment lifetime; TIME-WAIT lasts twice as long.  RFC 9293 §3.4.2 names two minutes; most
    #: systems use 30 s (so 60 s of TIME-WAIT), and so do we.  ``msl=120`` gives the RFC's four minutes.
    msl: float = 30.0
    #: How long FIN-WAIT-2 may last once the application is gone (RFC 9293 §3.6 leaves it open).
    fin_wait_2_timeout: float = 60.0
    #: Unread and out-of-order data that one connection may hold: at first, and when its path needs it.
    initial_receive_buffer: int = 256 << 10
    receive_buffer: int = 8 << 20
    #: How the window field is made of the free space: a name of :data:`usertcp.tcp.advertised_window.RULES`.
    #: "steps" opens it by a segment at least; "up" rounds a scaled window up, an unscaled one to segments, and lets
    #: it grow by two segments with each that comes; "exact" says what is free.
    window_rule: str = "steps"
    #: How much of the receive buffer the window may take: the rest is for what packets need besides their payload.
    window_space_ratio: float = 1.0
    #: With the rule "up": measure that by the packets that come, as if each stood in memory of a power of two.
    window_space_measured: bool = False
    #: The window in our SYN is a whole number of segments.
    round_syn_window: bool = False
    #: Round the receive buffer up to whole segments, once the peer's SYN has told their size.
    round_receive_buffer: bool = False
    #: The buffer that the window scale is made for (RFC 7323 §2.2); 0: the largest that there may be.
    window_scale_buffer: int = 0
    #: The largest window ever; None: what the buffer holds.
    window_clamp: int | None = None
    #: Unsent and unacknowledged data that one connection may hold.
    send_buffer: int = 4 << 20
    #: Let the receive buffer grow, from what it is at first to what it may become.
    grow_receive_buffer: bool = True
    #: Ranges with gaps between them that the reassembly queue may hold.
    max_gaps: int = 512
    #: Do not wait to fill segments (RFC 9293 §3.7.4: the Nagle algorithm is the default).
    nodelay: bool = False
    #: How long an acknowledgment may wait for company; below 0.5 (RFC 9293 §3.8.6.3, MUST-40).
    ack_delay: float = 0.04
    #: Learn from the peer and the application when to acknowledge (:mod:`usertcp.tcp.ack_timing`): ``quick_acks`` at
    #: most are not delayed at first and after disorder; an application that answered ``pingpong_threshold`` times
    #: within the delay lets its answers carry them; and no delay is longer than ``max_ack_delay``.  After three
    #: duplicates, up to ``delayed_sacks`` more wait for each other, at most ``sack_delay`` or a 20th of the round trip.
    adaptive_acks: bool = False
    quick_acks: int = 16
    pingpong_threshold: int = 1
    max_ack_delay: float = 0.2
    delayed_sacks: int = 44
    sack_delay: float = 0.001
    #: Count segments and not bytes for "every second segment", and do not delay the acknowledgment of one that is
    #: longer than ours are.
    acks_by_segments: bool = False
    #: Retransmission timeout before the first round-trip sample (RFC 6298 §2.1).
    initial_rto: float = 1.0
    #: Bounds of the retransmission timeout: the least that is added to the smoothed round trip, and the
    #: most in all.  RFC 6298 §2.4 asks for 1 s at least; systems in use add 0.2 s, and so do we, which
    #: covers a peer's delayed acknowledgments.  The upper bound must be at least 60 s (§2.5).
    min_rto: float = 0.2
    max_rto: float = 60.0
    #: Measure round trips by timestamps also where the echo is of an earlier sending (RFC 7323 §4.1 does not ask).
    rtt_of_repeated: bool = False
    #: The timeout follows from what the first of several segments took that are acknowledged together, as it does by
    #: timestamps (RFC 7323 §4.3): the peer's delay is part of it.
    rtt_of_oldest: bool = False
    #: What is added to the timeout after all else, its back-off included, and what it is at least.
    rto_slop: float = 0.0
    rto_floor: float = 0.0
    #: The variance in it: "rfc6298": the present one; "round": the largest of the last round trip
    #: (:class:`usertcp.tcp.rtt.LargestOfRound`).
    rto_variance: str = "rfc6298"
    #: After so many retransmissions of one segment the application is told (RFC 9293 §3.8.3, R1 >= 3).
    r1: int = 3
    #: After so long without an answer the connection is aborted: R2 >= 100 s, >= 3 minutes for a SYN
    #: (RFC 9293 §3.8.3, MUST-23).
    r2: float = 900.0
    r2_syn: float = 180.0
    #: R2 as a number of retransmissions instead: as long as so many take, counted from the first of them, whose timer
    #: begins with ``min_rto`` and doubles; and the same of a connection whose application is gone.  None: ``r2`` and
    #: ``orphan_timeout``.
    retries: int | None = None
    orphan_retries: int | None = None
    #: Count the timeouts since the last sample of the round trip instead, whatever time they take.
    count_retries: bool = False
    #: How long an OPEN may take in all; None: for as long as its SYN is sent again.
    opening_timeout: float | None = None
    #: The round trip of a SYN,ACK is a sample (RFC 6298 §2.2); False: only a timestamp that comes back makes it one.
    sample_syn_ack: bool = True
    #: How often a SYN and a SYN,ACK are sent again; None: for as long as ``r2_syn`` lets.
    syn_retries: int | None = None
    syn_ack_retries: int | None = None
    #: So many first timeouts of a SYN neither double its timer nor count as retries.
    syn_linear_timeouts: int = 0
    #: What follows each SYN as a multiple of ``initial_rto``, the last for all later ones; (): doubled each time.
    syn_backoff: tuple[int, ...] = ()
    #: Tell the peer by a RST that it is given up: "never", where it does not answer "keepalives", or "always".
    reset_on_timeout: str = "never"
    #: What probes a closed window: "byte": the next one; "old": an empty segment from before the window.
    zero_window_probe: str = "byte"
    #: Probe a closed window so rarely at least, and so often at least: twice the retransmission timeout and more
    #: (:mod:`usertcp.tcp.persist`), doubled each time.  None: as often as a retransmission would go.
    persist_min: float | None = None
    persist_max: float = 60.0
    #: The sender's override for silly-window avoidance, 0.1 to 1 s (RFC 9293 §3.8.6.2.1); None: as for a closed window.
    sws_override: float | None = 0.2
    #: Initial congestion window in segments (RFC 6928).
    initial_window: int = 10
    #: What congestion windows are counted in: "byte" (RFC 5681), or "segment": whole segments, and a reduction goes by
    #: the window instead of by what is in flight (:mod:`usertcp.tcp.congestion.segments`).
    window_unit: str = "byte"
    #: HyStart++ or HyStart: leave the first slow start before something is lost (CUBIC).
    hystart: bool = True
    #: Forget a window that was not used for longer than a timeout (RFC 5681 §4.1).
    slow_start_after_idle: bool = True
    #: So many losses of a SYN or SYN,ACK leave the initial window what it is (RFC 5681 §3.1: none).
    syn_losses_forgiven: int = 0
    syn_ack_losses_forgiven: int = 0
    #: Segments beyond a gap that mean a loss as long as no reordering was seen (RFC 8985 §6.2, RFC 5681 §3.2).
    reordering: int = 3
    #: Bytes counted per acknowledgment, in segments: L of RFC 3465.  An acknowledgment here may cover a
    #: super-segment of 64 KB, so that RFC 5681's one segment per ACK would crawl.
    ack_counting_limit: int = 8
    #: Offer window scaling and timestamps (RFC 7323).
    window_scaling: bool = True
    timestamps: bool = True
    #: Offer selective acknowledgments (RFC 2018); believe a block that begins with the very byte that the peer waits
    #: for, although it would rather have acknowledged that.
    sack: bool = True
    sack_at_edge: bool = True
    #: Tail loss probes (RFC 8985 §7): their least delay, and how long a peer may delay an acknowledgment.
    tlp: bool = True
    min_pto: float = 0.01
    #: What the timers of tail loss probes and of RACK wait beyond the RFC's times: those of a coarse clock do.
    probe_slack: float = 0.0
    peer_ack_delay: float = 0.2
    #: TCP Fast Open (RFC 7413), as client where data is given with OPEN, as server where the listener wants it.
    fast_open: bool = True
    #: Data comes and goes with a SYN only beside a cookie, as server and as client.  Where both ends are in one
    #: network, and nobody spoofs addresses, they can do without.
    fast_open_server_cookie: bool = True
    fast_open_client_cookie: bool = True
    #: Data in a SYN leaves room for so many bytes of options, however few there are.
    syn_data_reserve: int = 0
    #: When our SYN,ACK is sent again, the data that went before the end of the handshake does not follow it, but waits.
    early_data_waits: bool = False
    #: Find out without ICMP what the path takes: small segments where full-sized ones vanish, and probes of
    #: larger ones from there on (RFC 4821).
    mtu_probing: bool = True
    #: Believe a router that asks for smaller packets only of a packet that was larger, and not at once where larger
    #: ones have arrived (RFC 5927 §7).
    path_mtu_checks: bool = True
    #: Watch for spurious timeouts (RFC 5682); believe in one also where the acknowledgment covers what was sent again
    #: besides what was not.
    frto: bool = True
    frto_beside_repeated: bool = False
    #: ICMP errors that end an attempt to connect: the "hard" ones (RFC 9293 §3.9.2.2), or "any", and of a connection
    #: that the peer opens with IPv4 those which say that nothing gets through to it; or of our own attempts only the
    #: "refusals", hard ones and those of somebody on the way; or "none".
    icmp_ends_opening: str = "hard"
    #: An ICMP error that says that there is no route takes back the last doubling of the timer (RFC 6069).
    revert_backoff: bool = False
    #: Explicit congestion notification (RFC 3168): "on" asks for it in our SYN, "passive" takes it where a
    #: peer asks, "off" does neither.  DCTCP cannot do without and asks unless it is "off".
    ecn: str = "passive"
    #: So many repetitions of our SYN still ask for it (RFC 3168 §6.1.1.1).
    ecn_syn_retries: int = 0
    #: The congestion controller: see :mod:`usertcp.tcp.congestion.registry`.
    congestion_control: str = "cubic"
    #: Ignore RSTs in TIME-WAIT (RFC 1337 §3, F1), so that an old duplicate can not end it early.  False: as
    #: RFC 9293 §3.10.7.4 has it, the connection block is deleted.
    rfc1337: bool = True
    #: What TIME-WAIT answers, a name of :data:`usertcp.tcp.time_wait.RULES`.  "checks": RFC 9293 §3.10.7.4 step by
    #: step; "next": an acknowledgment to all that does not stand exactly next; "duplicates": to all but RSTs, what has
    #: no ACK, and the last acknowledgment again.
    time_wait_rule: str = "checks"
    #: Pace the loss-based controllers too; validate an unused window by RFC 7661 instead of RFC 5681 §4.1;
    #: react less to marks than to losses (RFC 8511).
    paced: bool = False
    validate_window: bool = False
    abe: bool = False
    #: Keep-alives (RFC 9293 §3.8.4): off unless asked for (MUST-25); the idle time before the first one
    #: (at least two hours by default, MUST-28), between the next, and how many may stay unanswered.
    keepalive: bool = False
    keepalive_idle: float = 7200.0
    keepalive_interval: float = 75.0
    keepalive_probes: int = 9
    #: Count it, and R2, from the first retransmission instead of from the sending.
    patience_after_loss: bool = False
    #: The user timeout (RFC 9293 §3.9.1.1) instead of R2, and whether to exchange it with the peer (RFC 5482).
    user_timeout: float | None = None
    user_timeout_option: bool = False
    #: R2 of a connection whose application is gone, also for a peer that keeps its window closed.
    orphan_timeout: float = 120.0
    #: Our RSTs of an ABORT acknowledge (and say all that an acknowledgment says); RFC 9293 §3.10.5 has them bare.
    reset_acknowledges: bool = False
    #: And whether they say what window there is.
    reset_has_window: bool = True
    #: Which RST resets, of those in the window; the others are challenged (RFC 5961 §3): "next": at RCV.NXT;
    #: "acknowledged": at what our last acknowledgment said; "window": any.
    reset_at: str = "next"
    #: A SYN in the window resets the connection (RFC 793), instead of being challenged (RFC 5961 §4).
    syn_in_window_resets: bool = False
    #: The acknowledgment field of an old duplicate counts (RFC 9293 §3.10.7.4 drops the segment).
    old_acks_count: bool = False
    #: On a connection with timestamps a segment without them is dropped, unless it is a RST (RFC 7323 §3.2).
    require_timestamps: bool = False
    #: An empty segment with an old timestamp is answered (RFC 7323 §5.3, R1), too.
    paws_answers_empty: bool = True
    #: SYNs that bear a FIN as well are dropped, as nobody honest sends them (RFC 9293 §3.10.7.2 takes them).
    drop_syn_fin: bool = False
    #: Keep the text and the FIN of a SYN until the handshake is over; else they are left for the peer to send again.
    #: That of a right Fast Open cookie is always taken.
    keep_syn_data: bool = True
    #: A listener's connections are established by data, not by a bare ACK, until so many SYN,ACKs were in vain
    #: (TCP_DEFER_ACCEPT); 0: by the ACK.
    defer_accept: int = 0
    #: Half-open connections of a listener that is closed end without a RST.
    half_open_vanish: bool = False
    #: Answer text for an application that is gone with a RST although our FIN may still be on its way, and text that
    #: follows shutdown() of the receiving side; else see RFC 9293 §3.6.1 and docs/architecture.md.
    reset_late_data: bool = False
    #: What was received before the connection ended badly can still be read.
    unread_stays: bool = False
    #: At most one challenge ACK (RFC 5961 §7) or answer to an empty unacceptable segment in this time.
    challenge_interval: float = 0.5
    #: So many of them instead of one.
    challenge_count: int = 1
    #: Empty unacceptable segments are answered at the same rate; False: each is.
    challenge_unacceptable: bool = True
    #: Which segments are acceptable, a name of :data:`usertcp.tcp.acceptance.RULES`.  "table": RFC 9293 §3.4, Table 6;
    #: "last-ack": the window begins at our last acknowledgment, and text beyond it is taken whole or not at all.
    acceptance: str = "table"
    #: What a child in SYN-RECEIVED answers, a name of :data:`usertcp.tcp.half_open.RULES`: as a "connection", or as
    #: a "request" or the "entry" of a cache, which are less than that.
    half_open: str = "connection"
    #: Acknowledgments older than any window are as good as old ones (before RFC 5961 §5); those of numbers from before
    #: our SYN are not even old.
    accept_old_acks: bool = False
    reject_ghost_acks: bool = False
    #: After a SYN,ACK that acknowledges something else our SYN leaves again so soon, once; None: when its time comes.
    syn_again_after: float | None = None
    #: A SYN,ACK that crossed ours is acknowledged, although it is an acknowledgment itself.
    acknowledge_crossed_syn: bool = False
    #: The hop limit (IPv4: TTL) of what we send (RFC 9293 §3.9.2, MUST-49).
    ttl: int = 64
    #: The traffic class (IPv4: TOS), 0 to 255: the Differentiated Services field and two bits that belong to ECN and
    #: stay 0.  An application may change that of its connection (RFC 9293 §3.9.1.9, MUST-48, SHLD-21).
    traffic_class: int = 0
    #: In which order options stand, and how they are padded: a name of :data:`usertcp.wire.option_layout.LAYOUTS`.
    option_layout: str = "compact"
    #: Report what came twice (RFC 2883).
    dsack: bool = True
    #: What a peer takes that does not say so, by IPv4 and IPv6 (RFC 9293 §3.7.1, MUST-15).
    default_mss: int = 536
    default_mss_ipv6: int = 1220
    #: No ICMP message makes the path of IPv4 smaller than that (RFC 1191 §3 allows 68, which a forger would like).
    min_path_mtu: int = 552
    #: The least MSS that a peer may make us use: a smaller one would only cost both sides CPU.
    min_mss: int = 48
    #: Which partial segments wait: "classic": all, for anything outstanding (RFC 9293 §3.7.4); "minshall": those
    #: behind another partial one.
    nagle: str = "classic"
    #: How large super-segments are (see :mod:`usertcp.tcp.bursts`): "millisecond": what twice the window's rate
    #: carries in one; "paced": what a pacer would let out, at least ``tso_min_segments``, more where the round trip
    #: is shorter than 2 ** ``tso_rtt_log`` microseconds (0: never), and at most half of the window.
    super_segments: str = "millisecond"
    tso_min_segments: int = 2
    tso_rtt_log: int = 0
    pacing_slow_start_percent: int = 200
    pacing_avoidance_percent: int = 120
    #: A super-segment waits for room if less than one part of so many of the window is free; 0: never.
    tso_window_divisor: int = 0
    #: PSH on each super-segment, and on what is sent again if it had it; lost ones keep their borders, but for those
    #: that together fill a segment.
    push_super_segments: bool = False
    #: Segments are no larger than half of the largest window that the peer ever offered.
    mss_within_half_window: bool = False
    #: A smaller window is believed only from a segment that is newer by its numbers (RFC 9293 §3.10.7.4, fifth, lets
    #: one with the same numbers do).
    only_larger_windows: bool = False
    #: The largest MSS, in either direction, whatever the link takes (TCP_MAXSEG); None: the link's.
    user_mss: int | None = None

    @property
    def time_wait(self) -> float:
        """2 MSL (RFC 9293 §3.4.2)."""
        return 2 * self.msl


DEFAULT = Settings()
