"""The real curl is answered by our own TCP."""

from __future__ import annotations

import hashlib
import json
from math import inf
from pathlib import Path

import pytest

from tests.kernel.clients import OURS, SHORT_MEMORY, curl, living_connections, serving, until, url
from usertcp.services.http.routes import block

MANY = 100_000_000

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])


@pytest.mark.rootless
@families
@offloads
async def test_the_connection_tells_what_it_is(family: int, offload: bool) -> None:
    async with serving("80", offload=offload) as stack:
        assert stack.device.offload is offload
        told = json.loads(await curl(url(family, "/connection")))
    assert told["state"] == "ESTABLISHED"
    assert told["local_address"] == OURS[family]


@families
@offloads
async def test_100_mb_down_and_up_arrive_whole(family: int, offload: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    async with serving("80", offload=offload) as stack:
        await curl(url(family, f"/bytes/{MANY}"), "-o", str(file))
        answer = json.loads(await curl(url(family, "/upload"), "-T", str(file)))
        stats = stack.stats()
    expected = hashlib.sha256((block() * 96)[:MANY]).hexdigest()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == expected
    assert answer == {"bytes": MANY, "sha256": expected}
    assert stats["tcp-checksum"] == 0
    # Without offload a packet is a segment of at most 1,500 bytes, with it up to 64 KB.
    segments = 2 * MANY // 1500
    assert (stats["device-packets-received"] + stats["device-packets-sent"] > segments) is not offload


async def test_one_connection_carries_many_requests() -> None:
    async with serving("80") as stack:
        await curl(*["-o", "/dev/null", url(4, "/bytes/1000")] * 100)
        assert stack.stats()["connections-opened"] == 1


async def test_1000_connections_one_after_the_other() -> None:
    async with serving("80", config=SHORT_MEMORY) as stack:
        once = ["-o", "/dev/null", url(4, "/bytes/1000")]
        codes = await curl("-H", "Connection: close", "-w", "%{http_code} %{size_download}\n", *once * 1000)
        assert codes.splitlines() == ["200 1000"] * 1000
        assert stack.stats()["connections-opened"] == 1000
        await until(lambda: not stack.host.connections)
        await until(lambda: not stack.host.time_waits)
        assert stack.host.deadline() == inf
    assert living_connections() == 0


@families
async def test_200_at_once(family: int, tmp_path: Path) -> None:
    size = 200_000
    paths = [tmp_path / str(number) for number in range(200)]
    transfers = [(str(path), url(family, f"/bytes/{size + int(path.name)}")) for path in paths]
    command = ["--parallel", "--parallel-immediate", "--parallel-max", "200", "-H", "Connection: close"]
    async with serving("80") as stack:
        await curl(*command, *[each for path, source in transfers for each in ("-o", path, source)])
        assert stack.stats()["connections-opened"] == 200
    for path in paths:
        assert path.read_bytes() == block()[: size + int(path.name)]
