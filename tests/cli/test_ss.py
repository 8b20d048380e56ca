"""``usertcp ss`` beside ``usertcp listen`` and ``usertcp try``, while curl runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

import usertcp.cli.listen  # before processes are forked: faster, and another uid may not read them
import usertcp.cli.ss  # noqa: F401
from tests.control import own_places

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, Running

    Start: TypeAlias = Callable[..., Running]

pytestmark = pytest.mark.kernel
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs another uid")

NOBODY = 65534


@pytest.fixture(autouse=True)
def empty_places(monkeypatch: pytest.MonkeyPatch) -> None:
    own_places.hide(monkeypatch)


def listening(usertcp: Start, *arguments: str) -> Running:
    running: Running = usertcp("listen", "80", "7", *arguments)
    running.wait_until("Ctrl-C ends")
    return running


def shown(usertcp: Start, *arguments: str, user: int | None = None) -> Ended:
    ended: Ended = usertcp("ss", *arguments, user=user).end()
    assert "Traceback" not in ended.err
    return ended


@pytest.fixture
def download() -> Iterator[Callable[[], None]]:
    """Starts a curl that is fed without end."""
    started = []

    def start() -> None:
        curl = subprocess.Popen(
            ["curl", "-sN", "--noproxy", "*", "http://192.0.2.2/bytes/1000000000000"], stdout=subprocess.PIPE
        )
        started.append(curl)
        assert curl.stdout is not None
        assert curl.stdout.read(1)  # and no more: the window closes

    yield start
    for curl in started:
        curl.kill()
        curl.communicate()


@pytest.mark.rootless
def test_connections_are_seen_while_curl_runs(usertcp: Start, download: Callable[[], None]) -> None:
    running = listening(usertcp)
    ended = shown(usertcp)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == ["State  Recv-Q  Send-Q  Local Address:Port  Peer Address:Port"]
    download()
    head, connection = shown(usertcp).out.splitlines()
    assert head.split() == ["State", "Recv-Q", "Send-Q", "Local", "Address:Port", "Peer", "Address:Port"]
    state, recv_q, send_q, local, peer = connection.split()
    assert (state, recv_q, local) == ("ESTABLISHED", "0", "192.0.2.2:80")
    assert int(send_q) > 0
    assert peer.startswith("192.0.2.1:")
    details = shown(usertcp, "-ti").out.splitlines()[2].split()
    assert {"conn:1", "cubic", "ts", "sack", "mss:1448", "data_segs_in:1"} <= set(details)
    assert any(word.startswith("timer:(") for word in details)
    running.signal(signal.SIGTERM)


@pytest.mark.rootless
def test_listeners_and_everything(usertcp: Start, download: Callable[[], None]) -> None:
    listening(usertcp)
    download()
    assert [line.split()[:4] for line in shown(usertcp, "-l").out.splitlines()[1:]] == [
        ["LISTEN", "0", "1024", "*:7"],
        ["LISTEN", "0", "1024", "*:80"],
    ]
    states = [line.split()[0] for line in shown(usertcp, "-a").out.splitlines()[1:]]
    assert states == ["LISTEN", "LISTEN", "ESTABLISHED"]
    assert len(shown(usertcp, "-l", "sport", "=", ":7").out.splitlines()) == 2


@pytest.mark.rootless
def test_filters(usertcp: Start, download: Callable[[], None]) -> None:
    listening(usertcp)
    download()
    for words, count in (
        ("sport = :80", 1),
        ("sport = :7", 0),
        ("dst 192.0.2.0/24 and not dst 192.0.2.9", 1),
        ("state listen", 2),
        ("state established or state listen", 3),
    ):
        assert len(shown(usertcp, *words.split()).out.splitlines()) == 1 + count, words
    ended = shown(usertcp, "sport", "=", "http")
    assert (ended.status, ended.err) == (
        2,
        "usertcp ss: 'http' is no port: write it as :80 (see usertcp ss --help)\n",
    )


@pytest.mark.rootless
def test_json(usertcp: Start, download: Callable[[], None]) -> None:
    listening(usertcp)
    download()
    (line,) = shown(usertcp, "--json", "sport = :80").out.splitlines()
    made = json.loads(line)
    assert (made["v"], made["tun"], made["state"], made["local_address"]) == (1, "usertcp0", "ESTABLISHED", "192.0.2.2")
    assert made["status"]["congestion_control"] == "cubic"
    assert made["status"]["bytes_received"] > 0


@pytest.mark.rootless
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_socket_is_said_at_the_start_and_gone_at_the_end(usertcp: Start, number: signal.Signals) -> None:
    running = listening(usertcp)
    directory = "/run/usertcp" if os.geteuid() == 0 else own_places.TEMPORARY / f"usertcp-{os.geteuid()}"
    path = Path(directory, "usertcp0.sock")
    assert path.is_socket()
    running.signal(number)
    said = f"usertcp: control socket {path}" + ("" if os.geteuid() == 0 else " (XDG_RUNTIME_DIR is not set)")
    assert running.end().err.startswith(said + "\n")
    assert not path.exists()


@pytest.mark.rootless
def test_nobody_is_there(usertcp: Start) -> None:
    start_one = 'start one, as "usertcp try -- sh" or "sudo usertcp listen 80"'
    ended = shown(usertcp)
    assert (ended.status, ended.err) == (1, f"usertcp: no usertcp of yours is running: {start_one}\n")
    running = listening(usertcp)
    ended = shown(usertcp, "--tun", "other0")
    assert (ended.status, ended.out) == (1, "")
    assert "no usertcp of yours is running on other0" in ended.err
    running.signal(signal.SIGKILL)
    running.end()
    assert "no usertcp of yours is running (nobody answers in /" in shown(usertcp).err
    ended = shown(usertcp, "--socket", "/tmp/nothing")
    assert (ended.status, ended.err) == (1, "usertcp: /tmp/nothing: no usertcp is running there\n")


@pytest.mark.rootless
def test_one_that_is_stopped_holds_nobody_up(usertcp: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usertcp.control.client.PATIENCE", 0.2)
    running = listening(usertcp)
    listening(usertcp, "--tun", "other0", "--address", "198.51.100.2/24")
    running.signal(signal.SIGSTOP)
    ended = shown(usertcp, "-l")
    running.signal(signal.SIGCONT)
    assert "usertcp0.sock: no answer within 0 s; is that usertcp stopped or very busy?" in ended.err
    assert len(ended.out.splitlines()) == 3


@pytest.mark.rootless
def test_several_are_told_apart(usertcp: Start) -> None:
    one = listening(usertcp)
    two = listening(usertcp, "--tun", "other0", "--address", "198.51.100.2/24")
    lines = shown(usertcp, "-l").out.splitlines()
    assert lines[0] == f"other0 (listen, process {two.pid}):"
    assert lines[4] == f"usertcp0 (listen, process {one.pid}):"
    assert len(shown(usertcp, "-l", "--tun", "other0").out.splitlines()) == 3


@pytest.mark.rootless
def test_a_try_has_one_too_and_its_own_command_sees_it() -> None:
    """In a network of its own, with a TUN of the same name."""
    inner = f"{sys.executable} -m usertcp ss -l sport = :80; {sys.executable} -m usertcp trace sport = :80"
    done = subprocess.run(
        [sys.executable, "-m", "usertcp", "try", "--", "sh", "-c", f"curl -s http://192.0.2.2/ >/dev/null; {inner}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:4] == ["LISTEN", "0", "1024", "*:80"]
    assert "SYN-RECEIVED" in done.stdout


# -- Whose it is ------------------------------------------------------------------------------------------


@only_root
def test_another_user_is_refused_and_told_what_to_do(usertcp: Start) -> None:
    listening(usertcp)
    ended = shown(usertcp, user=NOBODY)
    assert (ended.status, ended.out) == (1, "")
    path = "/run/usertcp/usertcp0.sock"
    assert ended.err == f"usertcp: no usertcp of yours is running; {path} is another user's: use sudo\n"
    ended = shown(usertcp, "--socket", path, user=NOBODY)
    assert ended.err == f"usertcp: {path}: it belongs to another user: use sudo\n"


@only_root
def test_another_user_who_passed_the_permissions_is_refused_too(usertcp: Start) -> None:
    listening(usertcp)
    os.chmod("/run/usertcp/usertcp0.sock", 0o666)
    ended = shown(usertcp, "-l", user=NOBODY)
    assert ended.status == 1
    assert "user 65534 may not look at this usertcp, which is user 0's" in ended.err


@only_root
def test_the_person_behind_sudo_needs_no_sudo_for_it(usertcp: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1000")
    listening(usertcp)
    assert len(shown(usertcp, "-l", user=1000).out.splitlines()) == 3
    assert shown(usertcp, "-l", user=NOBODY).status == 1


@pytest.mark.rootless
def test_where_there_can_be_no_socket_all_else_goes_on(usertcp: Start) -> None:
    own_places.make_read_only()
    running = listening(usertcp)
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert ended.status == 0
    assert "no control socket, so ss and trace will not see this: " in ended.err
    assert "Read-only file system" in ended.err


@pytest.mark.rootless
def test_the_command_of_a_try_sees_its_own_one_first(usertcp: Start) -> None:
    listening(usertcp, "--tun", "other0")
    done = subprocess.run(
        [sys.executable, "-m", "usertcp", "try", "--", sys.executable, "-m", "usertcp", "ss", "-l"],
        capture_output=True,
        text=True,
    )
    assert len(done.stdout.splitlines()) == 1 + 5


@pytest.mark.rootless
def test_a_connect_has_one_too(usertcp: Start) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        running = usertcp("connect", "192.0.2.1", str(port), stdin=b"hello")
        client, _ = server.accept()
        with client:
            assert client.recv(5) == b"hello"
            _, line = shown(usertcp, "dport", "=", str(port)).out.splitlines()
        assert line.split()[0] in ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2")
        assert running.end().status == 0
