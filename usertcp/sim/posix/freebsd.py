"""The names of FreeBSD's headers that Linux has not, or has with other numbers.

:data:`NUMBERS` are FreeBSD's own, for whoever writes them as such.  The calls of a machine take the numbers of
:func:`number_for_calls`: Linux's where it has the name, else one that no Linux option has.
"""

from __future__ import annotations

from typing import Final

from usertcp.sim.posix import constants as c

#: Added to the number of an option that Linux has not, so that it is nobody else's.
OWN: Final = 0x10000

NUMBERS: Final[dict[str, int]] = {
    # sys/socket.h
    "SOL_SOCKET": 0xFFFF,
    "SOCK_CLOEXEC": 0x10000000,
    "SOCK_NONBLOCK": 0x20000000,
    "AF_INET6": 28,
    "PF_INET6": 28,
    "SO_DEBUG": 0x1,
    "SO_ACCEPTCONN": 0x2,
    "SO_REUSEADDR": 0x4,
    "SO_KEEPALIVE": 0x8,
    "SO_DONTROUTE": 0x10,
    "SO_BROADCAST": 0x20,
    "SO_USELOOPBACK": 0x40,
    "SO_LINGER": 0x80,
    "SO_OOBINLINE": 0x100,
    "SO_REUSEPORT": 0x200,
    "SO_TIMESTAMP": 0x400,
    "SO_NOSIGPIPE": 0x800,
    "SO_ACCEPTFILTER": 0x1000,
    "SO_BINTIME": 0x2000,
    "SO_NO_OFFLOAD": 0x4000,
    "SO_NO_DDP": 0x8000,
    "SO_REUSEPORT_LB": 0x10000,
    "SO_RERROR": 0x20000,
    "SO_SNDBUF": 0x1001,
    "SO_RCVBUF": 0x1002,
    "SO_SNDLOWAT": 0x1003,
    "SO_RCVLOWAT": 0x1004,
    "SO_SNDTIMEO": 0x1005,
    "SO_RCVTIMEO": 0x1006,
    "SO_ERROR": 0x1007,
    "SO_TYPE": 0x1008,
    "SO_LISTENQLIMIT": 0x1011,
    "SO_LISTENQLEN": 0x1012,
    "SO_LISTENINCQLEN": 0x1013,
    "SO_SETFIB": 0x1014,
    "SO_USER_COOKIE": 0x1015,
    "SO_PROTOCOL": 0x1016,
    "SO_PROTOTYPE": 0x1016,
    "SO_TS_CLOCK": 0x1017,
    "SO_MAX_PACING_RATE": 0x1018,
    "SO_DOMAIN": 0x1019,
    "MSG_OOB": 0x1,
    "MSG_PEEK": 0x2,
    "MSG_DONTROUTE": 0x4,
    "MSG_EOR": 0x8,
    "MSG_TRUNC": 0x10,
    "MSG_CTRUNC": 0x20,
    "MSG_WAITALL": 0x40,
    "MSG_DONTWAIT": 0x80,
    "MSG_EOF": 0x100,
    "MSG_NBIO": 0x4000,
    "MSG_COMPAT": 0x8000,
    "MSG_NOSIGNAL": 0x20000,
    "MSG_CMSG_CLOEXEC": 0x40000,
    "MSG_WAITFORONE": 0x80000,
    # netinet/tcp.h
    "TCP_NODELAY": 1,
    "TCP_MAXSEG": 2,
    "TCP_NOPUSH": 4,
    "TCP_NOOPT": 8,
    "TCP_MD5SIG": 16,
    "TCP_INFO": 32,
    "TCP_STATS": 33,
    "TCP_LOG": 34,
    "TCP_LOGBUF": 35,
    "TCP_LOGID": 36,
    "TCP_LOGDUMP": 37,
    "TCP_LOGDUMPID": 38,
    "TCP_TXTLS_ENABLE": 39,
    "TCP_TXTLS_MODE": 40,
    "TCP_RXTLS_ENABLE": 41,
    "TCP_RXTLS_MODE": 42,
    "TCP_IWND_NB": 43,
    "TCP_IWND_NSEG": 44,
    "TCP_USER_LOG": 48,
    "TCP_CONGESTION": 64,
    "TCP_CCALGOOPT": 65,
    "TCP_MAXUNACKTIME": 68,
    "TCP_MAXPEAKRATE": 69,
    "TCP_IDLE_REDUCE": 70,
    "TCP_REMOTE_UDP_ENCAPS_PORT": 71,
    "TCP_DELACK": 72,
    "TCP_FIN_IS_RST": 73,
    "TCP_LOG_LIMIT": 74,
    "TCP_SHARED_CWND_ALLOWED": 75,
    "TCP_PROC_ACCOUNTING": 76,
    "TCP_USE_CMP_ACKS": 77,
    "TCP_PERF_INFO": 78,
    "TCP_LRD": 79,
    "TCP_KEEPINIT": 128,
    "TCP_KEEPIDLE": 256,
    "TCP_KEEPINTVL": 512,
    "TCP_KEEPCNT": 1024,
    "TCP_FASTOPEN": 1025,
    "TCP_REUSPORT_LB_NUMA": 1026,
    "TCP_PCAP_OUT": 2048,
    "TCP_PCAP_IN": 4096,
    "TCP_FUNCTION_BLK": 8192,
    "TCP_FUNCTION_ALIAS": 8193,
    "TCPI_OPT_TIMESTAMPS": 0x1,
    "TCPI_OPT_SACK": 0x2,
    "TCPI_OPT_WSCALE": 0x4,
    "TCPI_OPT_ECN": 0x8,
    "TCPI_OPT_TOE": 0x10,
    "TCPI_OPT_TFO": 0x20,
    "TCPI_OPT_ACE": 0x40,
    # netinet/tcp_fsm.h
    "TCPS_CLOSED": 0,
    "TCPS_LISTEN": 1,
    "TCPS_SYN_SENT": 2,
    "TCPS_SYN_RECEIVED": 3,
    "TCPS_ESTABLISHED": 4,
    "TCPS_CLOSE_WAIT": 5,
    "TCPS_FIN_WAIT_1": 6,
    "TCPS_CLOSING": 7,
    "TCPS_LAST_ACK": 8,
    "TCPS_FIN_WAIT_2": 9,
    "TCPS_TIME_WAIT": 10,
    # netinet/in.h, netinet6/in6.h
    "IP_OPTIONS": 1,
    "IP_TOS": 3,
    "IP_TTL": 4,
    "IP_RECVOPTS": 5,
    "IP_RECVDSTADDR": 7,
    "IP_RECVTTL": 65,
    "IP_MINTTL": 66,
    "IP_DONTFRAG": 67,
    "IP_RECVTOS": 68,
    "IPV6_UNICAST_HOPS": 4,
    "IPV6_V6ONLY": 27,
    "IPV6_RECVPKTINFO": 36,
    "IPV6_RECVHOPLIMIT": 37,
    "IPV6_USE_MIN_MTU": 42,
    "IPV6_PATHMTU": 44,
    "IPV6_RECVTCLASS": 57,
    "IPV6_TCLASS": 61,
    "IPV6_DONTFRAG": 62,
    # sys/fcntl.h, sys/filio.h, sys/poll.h
    "O_NONBLOCK": 0x4,
    "O_APPEND": 0x8,
    "O_ASYNC": 0x40,
    "O_CLOEXEC": 0x100000,
    "FIONREAD": 0x4004667F,
    "FIONBIO": 0x8004667E,
    "FIONWRITE": 0x40046677,
    "FIONSPACE": 0x40046676,
    "SIOCATMARK": 0x40047307,
    "POLLRDHUP": 0x4000,
    "INFTIM": -1,
}
#: Names that mean what another one means to Linux.
_SAME: Final = {
    "TCP_NOPUSH": c.TCP_CORK,
    "MSG_EOF": c.MSG_FIN,
    "SO_PROTOTYPE": c.SO_PROTOCOL,
    "FIONWRITE": c.SIOCOUTQ,
    "INFTIM": -1,
}
_AS_THEY_ARE: Final = ("TCPS_", "TCPI_")
#: What Linux has and FreeBSD has not, among the names that a program could look for.
_LINUX_ONLY: Final = frozenset(
    name
    for name, number in vars(c).items()
    if isinstance(number, int)
    and name not in NUMBERS
    and name.startswith(("SO_", "TCP_", "IP_", "IPV6_", "SOF_", "SCM_", "EPOLL", "SPLICE_", "SIOC", "O_", "TCPI_"))
    and not name.startswith(("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"))
)


def number_for_calls(name: str) -> int | None:
    """The number by which a machine knows a name that FreeBSD has; None: it has no such name."""
    if name in _SAME:
        return _SAME[name]
    if name in _LINUX_ONLY:
        return None
    if name.startswith(_AS_THEY_ARE):
        return NUMBERS.get(name)
    linux = vars(c).get(name) if name[:1].isupper() else None
    if isinstance(linux, int):
        return linux
    return NUMBERS[name] + OWN if name in NUMBERS else None
