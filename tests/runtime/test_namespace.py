from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from usertcp.runtime import errors, namespace
from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import bring_up_loopback
from usertcp.runtime.tun import Tun

pytestmark = [pytest.mark.kernel, pytest.mark.rootless]


def network() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_enter() -> None:
    Tun("before0")
    before, ids = network(), (os.getuid(), os.getgid())
    namespace.enter()
    assert network() != before
    assert socket.if_nameindex() == [(1, "lo")]
    assert (os.getuid(), os.getgid()) == ids
    bring_up_loopback()
    tun = Tun("after0")
    assert {name for _, name in socket.if_nameindex()} == {"lo", "after0"}
    tun.close()


def test_children_are_in_it() -> None:
    namespace.enter()
    inside = subprocess.run(["readlink", "/proc/self/ns/net"], check=True, capture_output=True, text=True)
    assert inside.stdout.strip() == network()


def test_programs_may_configure_it() -> None:
    namespace.enter()
    Tun("tun0")
    subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "lo"], check=True)
    subprocess.run(["ip", "tuntap", "add", "dev", "tun1", "mode", "tun"], check=True)


def test_user_namespace() -> None:
    """The way of those who are not root, whoever runs this test."""
    uid, gid = os.geteuid(), os.getegid()
    namespace._enter_as_user(namespace.CLONE_NEWNET)
    assert (os.geteuid(), os.getegid()) == (uid, gid)
    assert Path("/proc/self/uid_map").read_text().split() == [str(uid), str(uid), "1"]
    bring_up_loopback()
    Tun("tun0").close()
    subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "lo"], check=True)


def test_no_more_namespaces() -> None:
    # The limit is that of a user namespace, so make one: it must not be the host's.
    before = os.readlink("/proc/self/ns/user")
    namespace._enter_as_user(0)
    assert os.readlink("/proc/self/ns/user") != before
    Path("/proc/sys/user/max_net_namespaces").write_text("0")
    with pytest.raises(SetupError, match=r"^no more .* are allowed here .*max_net_namespaces"):
        namespace.enter()


def test_forbidden() -> None:
    uid = os.geteuid()
    root = os.open("/", os.O_RDONLY)
    os.chroot("/usr")  # clone(2): in there nobody may make one
    os.seteuid(uid or 65534)
    try:
        with pytest.raises(SetupError, match=r"^user namespaces are forbidden here: use sudo "):
            namespace.enter()
    finally:
        os.seteuid(uid)
        os.fchdir(root)
        os.chroot(".")


def test_who_forbids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    monkeypatch.setattr(namespace, "_SYSCTL", tmp_path)
    error = namespace._explain(PermissionError(1, "no"))
    assert "forbidden here (sysctl kernel.apparmor_restrict_unprivileged_userns=1): " in str(error)


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["/venv/bin/usertcp", "try", "--", "curl", "a b"], "use sudo /venv/bin/usertcp try -- curl 'a b'"),
        (["/x/pytest", "-q"], 'use sudo "$(command -v usertcp)" ...'),
    ],
)
def test_as_root(monkeypatch: pytest.MonkeyPatch, argv: list[str], advice: str) -> None:
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert errors.as_root() == advice
