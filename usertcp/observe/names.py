"""How addresses, flags, options and amounts are written, in ladders and in JSON alike."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from usertcp.observe.escape import for_terminal
from usertcp.wire.tcp import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, Options

_FLAGS: Final = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
    (AE, "AE"),
)


def flag_names(flags: int) -> str:
    """``"SYN,ACK"``; a segment without any flag is ``"none"``."""
    return ",".join(name for bit, name in _FLAGS if flags & bit) or "none"


def flag_bits(names: str) -> int | None:
    """The opposite of :func:`flag_names`; None where that never writes such a text."""
    bits = 0
    for bit, name in _FLAGS if names != "none" else ():
        if name in names.split(","):
            bits |= bit
    return bits if flag_names(bits) == names else None


def address_text(address: bytes) -> str:
    """An address of 4 or 16 bytes as people write it; any other length as hex."""
    if len(address) == 4:
        return str(IPv4Address(address))
    if len(address) == 16:
        return str(IPv6Address(address))
    return address.hex()


def socket_text(address: bytes, port: int) -> str:
    """``"192.0.2.1:80"`` or ``"[fd00::1]:80"``."""
    text = address_text(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def option_names(options: Options, timestamps: bool) -> list[str]:
    """The options of a segment, one short text without blanks each, in the order in which they are usually sent."""
    names = []
    if options.mss is not None:
        names.append(f"mss={options.mss}")
    if options.window_scale is not None:
        names.append(f"ws={options.window_scale}")
    if options.sack_permitted:
        names.append("sackOK")
    if timestamps:
        names.append("TS")
    if options.fast_open is not None:
        names.append(f"TFO={options.fast_open.hex()}" if options.fast_open else "TFO")
    if options.user_timeout is not None:
        names.append(f"UTO={options.user_timeout}")
    names += [f"option={kind}" for kind, _ in options.unknown]
    return names


def amount(count: int) -> str:
    """Bytes as a person reads them: ``"61.0 MB"``; exact below 10,000."""
    if count < 10_000:
        return counted(count, "byte")
    size, unit = next(pair for pair in _UNITS if count >= pair[0])
    return f"{count / size:.1f} {unit}"


def milliseconds(seconds: float) -> str:
    """A span of time as a person reads it: ``"0.40 ms"``, ``"204 ms"``, ``"7,200 s"``."""
    if seconds >= 10:
        return f"{seconds:,.0f} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    size = seconds * 1000
    return f"{size:.0f} ms" if size >= 100 else f"{size:.2f} ms" if size < 10 else f"{size:.1f} ms"


def cited(section: str) -> str:
    """A section as people cite it; RFC 9293 where no other RFC is named."""
    return for_terminal(section if section.startswith("RFC") else f"RFC 9293 §{section}")


def in_brackets(section: str) -> str:
    """`` (RFC 9293 §3.10.7.4)``; "" where there is no section."""
    return f" ({cited(section)})" if section else ""


def is_set(ssthresh: int) -> bool:
    """Whether a slow start threshold limits anything yet: no window is larger than 2**30 (RFC 7323 §2.3)."""
    return ssthresh <= 1 << 30


def threshold(ssthresh: int) -> str:
    """A slow start threshold as a person reads it."""
    return f"{ssthresh:,}" if is_set(ssthresh) else "not set"


def counted(count: int, what: str) -> str:
    """``"1 byte"``, ``"2,000 bytes"``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def several(count: int, what: str) -> str:
    """``count`` of something that a noun or a participle names: ``"2 probes"``, ``"2 sent again"``."""
    return f"{count:,} {what}" if what.startswith(_PARTICIPLES) else counted(count, what)


_PARTICIPLES: Final = ("dropped", "sent again", "out of order", "held back")
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
