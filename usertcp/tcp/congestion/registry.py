"""The congestion controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from usertcp.tcp.congestion.base import CongestionControl
from usertcp.tcp.congestion.bbr import Bbr
from usertcp.tcp.congestion.cubic import Cubic
from usertcp.tcp.congestion.dctcp import Dctcp
from usertcp.tcp.congestion.newreno import NewReno

_MAKERS: Final[dict[str, Callable[[int, int], CongestionControl]]] = {
    "cubic": Cubic,
    "reno": NewReno,
    "bbr": Bbr,
    "dctcp": Dctcp,
}

#: Every name that :func:`make` knows, the default first.
NAMES: Final = tuple(_MAKERS)


def make(name: str, initial_segments: int, counting_limit: int) -> CongestionControl:
    """A controller for one connection.

    ``initial_segments``: the initial window (RFC 6928); ``counting_limit``: segments that one
    acknowledgment may add in slow start (L in RFC 9406 §4.3).  Raises ValueError for an unknown name.
    """
    maker = _MAKERS.get(name)
    if maker is None:
        raise ValueError(f"no congestion control {name!r}; there are: {', '.join(NAMES)}")
    return maker(initial_segments, counting_limit)
