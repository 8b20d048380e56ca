"""Who is behind sudo, in processes that say who they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

import pytest

from usertcp.runtime.sudo import Person, person_behind_sudo

Become: TypeAlias = Callable[[int, str | None, str | None], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    def to(uid: int, sudo_uid: str | None, sudo_gid: str | None) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        for name, value in (("SUDO_UID", sudo_uid), ("SUDO_GID", sudo_gid)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    return to


def test_somebody_became_root(become: Become) -> None:
    become(0, "1000", "100")
    assert person_behind_sudo() == Person(1000, 100)


@pytest.mark.parametrize(
    ("uid", "sudo_uid", "sudo_gid"),
    [
        (1000, "1001", "100"),  # no root: the variables are the user's own to set
        (0, None, None),
        (0, "1000", None),
        (0, "0", "0"),  # root itself said sudo
        (0, "-1", "100"),
        (0, "4294967295", "100"),
        (0, "1000", "99999999999"),
        (0, "me", "us"),
        (0, "", ""),
    ],
)
def test_nobody(become: Become, uid: int, sudo_uid: str | None, sudo_gid: str | None) -> None:
    become(uid, sudo_uid, sudo_gid)
    assert person_behind_sudo() is None
