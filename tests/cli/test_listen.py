"""``usertcp listen`` with a real TUN and real clients."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
from pyroute2 import IPRoute

if TYPE_CHECKING:
    from tests.cli.conftest import Running

    Start: TypeAlias = Callable[..., Running]

pytestmark = pytest.mark.kernel


def curl(*arguments: str) -> str:
    return subprocess.run(
        ["curl", "-sSg", "--noproxy", "*", *arguments], stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def interfaces() -> list[str]:
    with IPRoute() as netlink:
        return [link.get_attr("IFLA_IFNAME") for link in netlink.get_links()]


def listening(usertcp: Start, *arguments: str) -> Running:
    running: Running = usertcp("listen", *arguments)
    running.wait_until("Ctrl-C ends")
    return running


@pytest.mark.parametrize("offload", ["--offload", "--no-offload"])
def test_curl_is_answered_over_both_families(usertcp: Start, offload: str) -> None:
    running = listening(usertcp, "80", "7", "8080:daytime", offload)
    assert "192.0.2.2:80" in curl("http://192.0.2.2/")
    described = json.loads(curl("http://[fd00:9293::2]/connection"))
    assert described["state"] == "ESTABLISHED"
    assert described["local_address"] == "fd00:9293::2"
    assert json.loads(curl("http://192.0.2.2/stats"))["connections-opened"] == 3
    with socket.create_connection(("192.0.2.2", 7)) as echo:
        echo.sendall(b"hello")
        echo.shutdown(socket.SHUT_WR)
        assert echo.makefile("rb").read() == b"hello"
    with socket.create_connection(("192.0.2.2", 8080)) as daytime:
        assert daytime.makefile("rb").read().endswith(b"-UTC\r\n")
    running.signal(signal.SIGINT)
    ended = running.end()
    assert ended.status == 130
    assert ended.out == ""
    assert "listening on 192.0.2.2 and fd00:9293::2, TUN usertcp0, port 80 (http), 7 (echo)" in ended.err
    assert "5  connections opened, actively or passively" in ended.err
    assert "usertcp0" not in interfaces()


def test_sigterm_ends_it_well_and_json_is_on_stdout(usertcp: Start) -> None:
    running = listening(usertcp, "80", "--json")
    curl("http://192.0.2.2/")
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert ended.status == 0
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event for event in events if event.get("next_state") == "ESTABLISHED"]
    assert events[-1]["event"] == "deleted"


def test_the_ladder_is_on_stdout(usertcp: Start) -> None:
    running = listening(usertcp, "80", "--trace")
    curl("http://192.0.2.2/")
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert "ESTABLISHED" in ended.out
    assert "ended in good order" in ended.out


def test_ctrl_c_sends_a_fin_and_a_second_one_ends_at_once(usertcp: Start) -> None:
    running = listening(usertcp, "7")
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        running.signal(signal.SIGINT)
        assert client.recv(1) == b""  # the FIN; we do not close our side, so it waits
        running.signal(signal.SIGINT)
        assert running.end().status == -signal.SIGINT
    assert "usertcp0" not in interfaces()


def test_another_address_and_name(usertcp: Start) -> None:
    running = listening(usertcp, "80", "--address", "198.51.100.1/24", "--tun", "mine0", "--mtu", "576")
    assert "198.51.100.1:80" in curl("http://198.51.100.1/")
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert ended.status == 0
    assert "listening on 198.51.100.1, TUN mine0" in ended.err


def test_an_address_that_is_the_host_s_own(usertcp: Start) -> None:
    with IPRoute() as netlink:
        netlink.addr("add", index=1, address="192.0.2.2", prefixlen=32)
    ended = usertcp("listen", "80").end()
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "192.0.2.2 is this host's own address, on lo: choose another with --address" in ended.err


def test_connect_beside_listen_says_how(usertcp: Start) -> None:
    listening(usertcp, "80")
    ended = usertcp("connect", "192.0.2.1", "80").end()
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "--tun usertcp1 --address " in ended.err


def test_stdout_that_nobody_reads_any_more(usertcp: Start) -> None:
    """``usertcp listen 80 --trace | head``."""
    running = usertcp("listen", "80", "--trace", stdout_closed=True)
    running.wait_until("Ctrl-C ends")
    with socket.create_connection(("192.0.2.2", 80)) as client:
        while client.recv(1):
            pass
    ended = running.end()
    assert ended.status == 1
    assert "Traceback" not in ended.err
