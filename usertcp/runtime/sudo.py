"""Who is really there when root is: the person who typed ``sudo``."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple


class Person(NamedTuple):
    """Whom files that are made under sudo belong to."""

    uid: int
    gid: int


def person_behind_sudo() -> Person | None:
    """The person who became root by sudo; None where nobody did.  What the variables say counts for root only."""
    if os.geteuid() != 0:
        return None
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if not (_is_number(uid) and _is_number(gid)) or uid == "0":
        return None
    return Person(int(uid), int(gid))


def give(descriptor: int) -> None:
    """An open file that was just made belongs to the person behind sudo, if there is one."""
    person = person_behind_sudo()
    if person is not None:
        with suppress(OSError):  # a file system that knows no owners
            os.fchown(descriptor, person.uid, person.gid)


def _is_number(text: str) -> bool:
    # (uid_t) -1 means "leave it as it is" to chown(2)
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 0xFFFF_FFFF
