"""For tests in a process of their own: a /run and a TMPDIR in which nobody else's sockets are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usertcp.runtime import namespace

TEMPORARY = Path("/run/tmp")
_MS_READ_ONLY_REMOUNT = 1 | 1 << 5
_MS_REC_PRIVATE = 0x4000 | 1 << 18


def hide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cover what is there by what is empty, until the process ends; no variable says where else to look."""
    namespace.unshare(namespace.CLONE_NEWNS)
    namespace.mount("none", "/", None, _MS_REC_PRIVATE)
    namespace.mount("tmpfs", "/run", "tmpfs")
    os.chmod("/run", 0o755)
    os.mkdir(TEMPORARY)
    os.chmod(TEMPORARY, 0o1777)
    for name in ("XDG_RUNTIME_DIR", "SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(TEMPORARY))


def make_read_only() -> None:
    """From now on no socket can be made there."""
    namespace.mount("tmpfs", "/run", None, _MS_READ_ONLY_REMOUNT)
