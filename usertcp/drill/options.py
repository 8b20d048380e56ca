"""What a script's ``--name=value`` lines and the command line say about how it is run.

The names are packetdrill's.  One that changes nothing here, because time is virtual or no device is made, is
accepted and has no effect; one that would change what a script means and that we do not do makes it unsupported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from usertcp.drill.errors import Unsupported

#: A third of the addresses is documentation's (RFC 5737), the rest private; packetdrill's own defaults.
_LOCAL_IPV4: Final = "192.168.0.1"
_REMOTE_IPV4: Final = "192.0.2.1"
_LOCAL_IPV6: Final = "fd3d:a0b:17d6::1"
_REMOTE_IPV6: Final = "fd3d:fa7b:d17d::1"
#: 20 more than 1500, so that the segments of both families have the same size.
_MTU_IPV6: Final = 1520
_MTU_IPV4: Final = 1500
_MIN_MTU_IPV6: Final = 1280
_MAX_MTU: Final = 0xFFFF


def words(text: str) -> frozenset[str]:
    """The words in ``text``."""
    return frozenset(text.split())


#: Nothing here depends on them.
_WITHOUT_EFFECT: Final = words(
    "code_command code_format debug gateway_ip init_scripts_dir local_linkaddr netmask_ip prefix "
    "persistent_tun_dev remote_linkaddr send_omit_free speed verbose is_anyip tun_dev no_cleanup "
    "tcp_ts_ecr_scaled_ok initial_sequence_numbers"
)
#: They mean something that we do not do.
_NOT_DONE: Final = words(
    "dry_run non_fatal udp_encaps so_filename so_flags wire_client wire_server wire_client_dev "
    "wire_server_dev wire_server_ip wire_server_port gre tcp_ts_ecr_scaled dst_addr"
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a script is run.  Ports are 1 to 65535, times in seconds."""

    #: "ipv4", "ipv6" or "ipv4-mapped-ipv6" (AF_INET6 sockets that speak IPv4).
    ip_version: str = "ipv4"
    bind_port: int = 8080
    connect_port: int = 8080
    #: "": the default of the IP version.
    local_ip: str = ""
    remote_ip: str = ""
    #: None: 1500 (1520 for IPv6, so that the segments have the same size).
    mtu: int | None = None
    #: By how much a packet or a blocking call may be early or late.
    tolerance: float = 0.004
    #: The same as a share of the time since the event before, in percent.
    tolerance_percent: float = 0.0
    #: How long a unit of an outbound timestamp is; None: outbound timestamps may be anything.
    timestamp_tick: float | None = None
    #: An expected segment must be one packet, and not a part or several parts of one.
    strict_segments: bool = False
    #: Scripts to be run first.
    init_scripts: tuple[str, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_wire_ipv6(self) -> bool:
        """Whether the packets are IPv6."""
        return self.ip_version == "ipv6"

    @property
    def sockets_ipv6(self) -> bool:
        """Whether ``socket(..., ...)`` makes AF_INET6 sockets."""
        return self.ip_version != "ipv4"

    @property
    def local_address(self) -> bytes:
        """4 or 16 bytes, as on the wire."""
        return ip_address(self.local_ip or (_LOCAL_IPV6 if self.on_wire_ipv6 else _LOCAL_IPV4)).packed

    @property
    def remote_address(self) -> bytes:
        """4 or 16 bytes, as on the wire."""
        return ip_address(self.remote_ip or (_REMOTE_IPV6 if self.on_wire_ipv6 else _REMOTE_IPV4)).packed

    @property
    def link_mtu(self) -> int:
        """The MTU in bytes, given or not."""
        return self.mtu if self.mtu is not None else _MTU_IPV6 if self.on_wire_ipv6 else _MTU_IPV4

    def with_pairs(self, pairs: Iterable[tuple[str, str]]) -> Options:
        """These options, and then each ``(name, value)``; the last one of a name counts.

        Raises Unsupported (line 0) for a name or value that is not known.
        """
        options = self
        for name, value in pairs:
            options = options._with(name.lstrip("-").replace("-", "_"), value.strip())
        return options.checked()

    def checked(self) -> Options:
        """Itself.  Raises Unsupported (line 0) where the options do not fit together."""
        for name in ("local_ip", "remote_ip"):
            text = getattr(self, name)
            if text and isinstance(ip_address(text), IPv6Address) != self.on_wire_ipv6:
                raise Unsupported(0, f"--{name}={text} is not an address of --ip_version={self.ip_version}")
        if self.on_wire_ipv6 and self.link_mtu < _MIN_MTU_IPV6:
            raise Unsupported(0, f"--mtu={self.link_mtu}: IPv6 needs {_MIN_MTU_IPV6}")
        return self

    def _with(self, name: str, value: str) -> Options:
        match name:
            case "ip_version":
                return replace(
                    self, ip_version=_word(name, value.replace("_", "-"), ("ipv4", "ipv6", "ipv4-mapped-ipv6"))
                )
            case "bind_port" | "connect_port":
                return replace(self, **{name: _number(name, value, 1, 0xFFFF)})  # type: ignore[arg-type]
            case "local_ip" | "remote_ip":
                return replace(self, **{name: _address(name, value)})  # type: ignore[arg-type]
            case "mtu":
                return replace(self, mtu=_number(name, value, 68, _MAX_MTU))
            case "tolerance_usecs":
                return replace(self, tolerance=_number(name, value, 0, 10**12) / 1e6)
            case "tolerance_percent":
                return replace(self, tolerance_percent=_decimal(name, value))
            case "tcp_ts_tick_usecs":
                return replace(self, timestamp_tick=_number(name, value, 0, 10**9) / 1e6 or None)
            case "strict_segments":
                return replace(self, strict_segments=_flag(name, value))
            case "init_scripts":
                return replace(self, init_scripts=tuple(value.split(",")) if value else ())
            case "define" | "D":
                key, _, text = value.partition("=")
                return replace(self, defines={**self.defines, key: text})
            case "code_sockopt":
                _word(name, value, ("TCP_INFO", ""))
                return self
        if name in _NOT_DONE and value not in ("0", "none", "false"):
            raise Unsupported(0, f"--{name}")
        if name in _WITHOUT_EFFECT or name in _NOT_DONE:
            return self
        raise Unsupported(0, f"an option of this name: --{name}")


#: What changes how a script is run.
WITH_EFFECT: Final = words(
    "ip_version bind_port connect_port local_ip remote_ip mtu tolerance_usecs tolerance_percent "
    "tcp_ts_tick_usecs strict_segments init_scripts define code_sockopt"
)
#: Of those known, the ones that may stand without a value.
FLAGS: Final = words("debug dry_run verbose strict_segments send_omit_free is_anyip no_cleanup")
NAMES: Final = tuple(sorted(WITH_EFFECT | _WITHOUT_EFFECT | _NOT_DONE))


def _number(name: str, value: str, least: int, most: int) -> int:
    try:
        number = int(value, 0)
    except ValueError:
        raise Unsupported(0, f"--{name}={value}: not a number") from None
    if not least <= number <= most:
        raise Unsupported(0, f"--{name}={value}: not in {least} to {most}")
    return number


def _decimal(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise Unsupported(0, f"--{name}={value}: not a number") from None
    if not 0 <= number <= 1e6:
        raise Unsupported(0, f"--{name}={value}: not a percentage")
    return number


def _word(name: str, value: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise Unsupported(0, f"--{name}={value}")
    return value


def _flag(name: str, value: str) -> bool:
    return _word(name, value.lower(), ("", "1", "true", "0", "false")) in ("", "1", "true")


def _address(name: str, value: str) -> str:
    """Without the prefix length that some write."""
    try:
        address: IPv4Address | IPv6Address = ip_address(value.partition("/")[0])
    except ValueError:
        raise Unsupported(0, f"--{name}={value}: not an address") from None
    return str(address)
