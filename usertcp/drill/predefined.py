"""Words that the runners of published scripts define on their command lines, by profile and by what is on the wire.

Whoever defines them otherwise, in the script or on the command line, is right.
"""

from __future__ import annotations

from typing import Final

from usertcp.drill.options import Options
from usertcp.stack.siphash import siphash24

#: What net.ipv4.tcp_fastopen_key is in those scripts (RFC 7413 §4.1.2 leaves the cookie to the server), and none.
_FAST_OPEN_KEY: Final = bytes.fromhex("a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4")
_NO_KEY: Final = bytes(16)


def words(profile: str, options: Options) -> dict[str, str]:
    """What stands for each word."""
    if profile != "linux":
        return {}
    ip = "IP" if options.ip_version == "ipv4" else "IPV6"  # by the socket's family, whatever is on the wire
    return {
        "TFO_COOKIE": _cookie(_FAST_OPEN_KEY, options),
        "TFO_COOKIE_ZERO": _cookie(_NO_KEY, options),
        "CMSG_LEVEL_IP": f"SOL_{ip}",
        "CMSG_TYPE_RECVERR": f"{ip}_RECVERR",
    }


def _cookie(key: bytes, options: Options) -> str:
    """What a Linux server with this key gives the script's remote end."""
    return siphash24(key, options.remote_address + options.local_address).to_bytes(8, "little").hex()
