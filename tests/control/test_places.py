"""Where control sockets are made and found.  Each test has a process and a /run of its own."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control import own_places
from usertcp.control import places

NOBODY = 65534
SYSTEM = Path("/run/usertcp")


@pytest.fixture(autouse=True)
def empty_places(monkeypatch: pytest.MonkeyPatch) -> None:
    own_places.hide(monkeypatch)


@pytest.fixture
def bound() -> Iterator[list[places.Bound]]:
    made: list[places.Bound] = []
    yield made
    for each in made:
        each.listener.close()


def bind(bound: list[places.Bound], tun: str = "usertcp0") -> Path:
    bound.append(places.bind(tun))
    return bound[-1].path


def as_user(uid: int) -> None:
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


pytestmark = pytest.mark.kernel
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has /run/usertcp")


@only_root
@pytest.mark.parametrize("umask", [0, 0o077])
def test_roots_are_in_run(bound: list[places.Bound], umask: int) -> None:
    os.umask(umask)
    path = bind(bound)
    assert path == SYSTEM / "usertcp0.sock"
    assert bound[0].note == ""
    assert mode(SYSTEM) == 0o755
    assert mode(path) == 0o600
    assert (path.lstat().st_uid, path.lstat().st_gid) == (0, 0)
    assert list(places.sockets()) == [path]


@only_root
def test_it_is_given_to_the_person_behind_sudo(bound: list[places.Bound], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    path = bind(bound)
    assert (path.lstat().st_uid, path.lstat().st_gid, mode(path)) == (1000, 1001, 0o600)
    assert SYSTEM.lstat().st_uid == 0
    as_user(1000)
    assert list(places.sockets()) == [path]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))


@only_root
def test_another_user_may_not_connect(bound: list[places.Bound]) -> None:
    path = bind(bound)
    as_user(NOBODY)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(PermissionError):
        client.connect(os.fspath(path))


@only_root
@pytest.mark.parametrize("what", ["others may write", "another's", "a link"])
def test_a_directory_that_is_not_safe_is_not_used(bound: list[places.Bound], what: str) -> None:
    if what == "a link":
        SYSTEM.symlink_to(own_places.TEMPORARY)
    else:
        SYSTEM.mkdir()
        SYSTEM.chmod(0o777 if what == "others may write" else 0o755)
        os.chown(SYSTEM, NOBODY if what == "another's" else 0, -1)
    path = bind(bound)
    assert path == own_places.TEMPORARY / "usertcp-0/usertcp0.sock"
    assert str(SYSTEM) in bound[0].note
    assert SYSTEM not in places.directories()


@pytest.mark.rootless
def test_a_users_are_in_the_runtime_directory(bound: list[places.Bound], monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = own_places.TEMPORARY / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    if os.geteuid() == 0:
        os.chown(runtime, NOBODY, NOBODY)
        as_user(NOBODY)
    path = bind(bound)
    assert path == runtime / "usertcp" / "usertcp0.sock"
    assert bound[0].note == ""
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    assert list(places.sockets()) == [path]


@pytest.mark.rootless
def test_without_a_runtime_directory_they_are_in_tmp(bound: list[places.Bound]) -> None:
    if os.geteuid() == 0:
        as_user(NOBODY)
    path = bind(bound)
    assert path == own_places.TEMPORARY / f"usertcp-{os.geteuid()}/usertcp0.sock"
    assert bound[0].note == "XDG_RUNTIME_DIR is not set"
    assert mode(path.parent) == 0o700
    assert list(places.sockets()) == [path]


@only_root
def test_where_there_is_no_place_at_all_it_says_why() -> None:
    os.mkdir(own_places.TEMPORARY / "usertcp-65534")
    os.chown(own_places.TEMPORARY / "usertcp-65534", 1000, 1000)  # somebody was there before
    as_user(NOBODY)
    with pytest.raises(places.PlaceError) as caught:
        places.bind("usertcp0")
    assert (
        str(caught.value) == f"XDG_RUNTIME_DIR is not set; {own_places.TEMPORARY}/usertcp-65534 belongs to another user"
    )
    assert places.directories() == []


@pytest.mark.rootless
def test_two_of_one_name_have_two_sockets(bound: list[places.Bound]) -> None:
    first, second = bind(bound), bind(bound)
    assert (first.name, second.name) == ("usertcp0.sock", "usertcp0.2.sock")
    assert list(places.sockets()) == [second, first]
    bound[0].remove()
    assert list(places.sockets()) == [second]
    assert bind(bound) == first


@pytest.mark.rootless
def test_what_a_killed_one_left_is_replaced(bound: list[places.Bound]) -> None:
    pid = os.fork()
    if pid == 0:
        places.bind("usertcp0")
        os._exit(0)
    os.waitpid(pid, 0)
    (left,) = places.sockets()
    before = left.lstat().st_ino
    path = bind(bound)
    assert path == left
    assert path.lstat().st_ino != before


@pytest.mark.rootless
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_is_no_socket_is_left_alone(bound: list[places.Bound], kind: str) -> None:
    directory = bind(bound, "other").parent
    thing = directory / "usertcp0.sock"
    match kind:
        case "file":
            thing.write_text("mine")
        case "link":
            thing.symlink_to(directory / "nowhere")
        case _:
            thing.mkdir()
    before = thing.lstat()
    assert bind(bound).name == "usertcp0.2.sock"
    assert thing.lstat() == before


@pytest.mark.rootless
def test_at_the_end_only_ones_own_is_removed(bound: list[places.Bound]) -> None:
    path = bind(bound)
    path.unlink()
    bind(bound)
    bound[0].remove()
    assert path.is_socket()
    bound[1].remove()
    assert not path.exists()


@pytest.mark.rootless
def test_a_path_of_ones_own(bound: list[places.Bound]) -> None:
    path = own_places.TEMPORARY / "mine.sock"
    bound.append(places.bind_at(path))
    assert mode(path) == 0o600
    with pytest.raises(places.PlaceError, match="Address already in use"):
        places.bind_at(path)
    bound[0].listener.close()
    bound.append(places.bind_at(path))
    with pytest.raises(places.PlaceError, match="too long"):
        places.bind_at(own_places.TEMPORARY / ("x" * 200))


@pytest.mark.rootless
def test_many_at_once_of_one_name_all_get_one() -> None:
    script = "from usertcp.control.places import bind; b = bind('usertcp0'); print(b.path.name, flush=True); input()"
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    names = {process.stdout.readline() for process in running if process.stdout is not None}
    for process in running:
        process.communicate("\n")
    assert len(names) == 6
