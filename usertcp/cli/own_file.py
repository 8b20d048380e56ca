"""Files that are written for the person who asked for them."""

from __future__ import annotations

import os
from typing import IO

from usertcp.runtime import sudo


def create(path: str) -> IO[str]:
    """A text file at ``path``, to be written; a new one belongs to the person behind sudo, if there is one.

    :raises OSError: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return open(path, "w", encoding="utf-8")
    sudo.give(descriptor)
    return open(descriptor, "w", encoding="utf-8")
