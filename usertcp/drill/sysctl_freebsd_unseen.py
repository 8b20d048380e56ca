"""Variables of FreeBSD that a script may set to anything: it could not tell the difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from usertcp.drill.sysctl import Variable, nothing, text

#: Why, before which names, and which.
_NAMES: Final = (
    (
        "how the kernel spends time and memory",
        "net.inet.tcp.",
        "per_cpu_timers tcbhashsize do_tcpdrain soreceive_stream isn_reseed_interval reass.cursegments "
        "reass.maxsegments reass.new_limit reass.queueguard syncache.bucketlimit syncache.cachelimit "
        "syncache.hashsize syncache.see_other lro.entries timer_race map_limit split_limit",
    ),
    ("what the kernel writes to its log", "net.inet.tcp.", "log_debug log_in_vain bb.log_auto_all bb.log_auto_mode"),
    (
        "counts over all connections of a host, and a script has a few",
        "net.inet.tcp.",
        "maxtcptw finwait2_count",
    ),
    (
        "nothing is remembered from one connection for the next",
        "net.inet.tcp.hostcache.",
        "enable purge purgenow expire prune bucketlimit cachelimit hashsize histo list",
    ),
    (
        "scripts see ports and where clocks begin only where they name them",
        "net.inet.tcp.",
        "ts_offset_per_conn require_unique_port",
    ),
    (
        "scripts see ports only where they name them",
        "net.inet.ip.portrange.",
        "first last hifirst hilast lowfirst lowlast reservedhigh reservedlow randomized randomcps randomtime",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.inet.ip.",
        "forwarding redirect random_id random_id_period rfc6864 accept_sourceroute sourceroute check_interface "
        "process_options maxfragpackets maxfragsperpacket fragttl intr_queue_maxlen no_same_prefix",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.inet6.ip6.",
        "forwarding redirect accept_rtadv auto_linklocal dad_count use_tempaddr maxfragpackets maxfrags v6only",
    ),
    (
        "counts over all connections of a host, and a script has a few",
        "net.inet.icmp.",
        "icmplim icmplim_output icmplim_jitter bmcastecho drop_redirect log_redirect maskrepl tstamprepl quotelen",
    ),
    (
        "counts over all connections of a host, and a script has a few",
        "net.inet6.icmp6.",
        "errppslimit icmp6lim_output",
    ),
    ("about real time, and time here is virtual", "kern.timecounter.", "alloweddeviation hardware fast_gettime tick"),
    ("about real time, and time here is virtual", "kern.eventtimer.", "periodic singlemul timer idletick"),
    (
        "how the kernel spends time and memory",
        "kern.ipc.",
        "nmbclusters nmbjumbop maxsockets numopensockets sockbuf_waste_factor",
    ),
    ("how the kernel spends time and memory", "net.isr.", "dispatch maxthreads bindthreads"),
    ("how the kernel spends time and memory", "net.inet.udp.", "checksum log_in_vain maxdgram recvspace"),
    ("about other parts of the kernel", "kern.", "maxfiles maxfilesperproc coredump corefile msgbuf_clear"),
    ("about other parts of the kernel", "security.bsd.", "see_other_uids see_other_gids"),
)


def _variables() -> Iterator[tuple[str, Variable]]:
    for why, prefix, names in _NAMES:
        for name in names.split():
            yield prefix + name, Variable("", text, nothing(why))


UNSEEN: Final[dict[str, Variable]] = dict(_variables())
