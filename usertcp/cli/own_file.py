"""Files that are written for the person who asked for them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO

from usertcp.runtime.sudo import person_behind_sudo


def create(path: str) -> IO[str]:
    """A text file at ``path``, to be written; a new one belongs to the person behind sudo, if there is one.

    :raises OSError: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return open(path, "w", encoding="utf-8")
    person = person_behind_sudo()
    if person is not None:
        with suppress(OSError):  # a file system that knows no owners
            os.fchown(descriptor, person.uid, person.gid)
    return open(descriptor, "w", encoding="utf-8")
