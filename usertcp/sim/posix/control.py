"""Control messages (``struct cmsghdr``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.constants import MSG_CTRUNC

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Control

_HEADER: Final = 16
_ALIGNMENT: Final = 8


def fit(messages: Iterable[Control], room: int) -> tuple[tuple[Control, ...], int]:
    """As many of ``messages`` as go into ``room`` bytes, the last of them perhaps cut; and MSG_CTRUNC if one is."""
    fitting: list[Control] = []
    for level, name, data in messages:
        if room < _HEADER:
            return tuple(fitting), MSG_CTRUNC
        most = room - _HEADER
        fitting.append((level, name, data[:most]))
        if len(data) > most:
            return tuple(fitting), MSG_CTRUNC
        room -= _HEADER + -(-len(data) // _ALIGNMENT) * _ALIGNMENT
    return tuple(fitting), 0
