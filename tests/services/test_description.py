from __future__ import annotations

import json
import socket
from enum import IntEnum
from typing import NamedTuple

import pytest
import trio

from usertcp.services.description import describe, to_json
from usertcp.services.text import visible


class Colour(IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, 1),
        (Point(1, float("nan")), {"x": 1, "y": None}),
        (b"\xc0\x00\x02\x02", "192.0.2.2"),
        (b"\xfd" + bytes(15), "fd00::"),
        (b"\x01\x02", "0102"),
        ({1: [True, None, "x"]}, {"1": [True, None, "x"]}),
        (object, "<class 'object'>"),
    ],
)
def test_everything_becomes_json(value: object, expected: object) -> None:
    assert to_json(value) == expected
    json.dumps(to_json(value), allow_nan=False)


async def test_a_kernel_socket_has_two_addresses() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        async with await trio.open_tcp_stream("127.0.0.1", port) as client, await listener.accept() as ours:
            assert describe(ours)["local_address"] == "127.0.0.1"
            assert describe(ours)["local_port"] == port
            assert describe(ours)["remote_port"] == describe(client)["local_port"]


async def test_a_socket_without_a_peer_has_no_description() -> None:
    async with trio.SocketStream(trio.socket.socket(socket.AF_INET)) as stream:
        assert describe(stream) == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (b"\x1b[31m\x9b", "\\x1b[31m\\x9b"),
        ("a\nb\\", "a\\nb\\\\"),
        ("\u202e", "\\u202e"),
        ("x" * 300, "x" * 200 + "..."),
    ],
)
def test_visible(text: bytes | str, shown: str) -> None:
    assert visible(text) == shown
