"""The real curl over a bad path: ``--impair`` between the TUN and our stack."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.kernel.clients import curl, serving, url
from usertcp.cli.impair import parse
from usertcp.runtime.device import PacketDevice
from usertcp.runtime.impaired import ImpairedDevice
from usertcp.services.http.routes import block

SIZE = 20_000_000
DIGEST = hashlib.sha256((block() * 20)[:SIZE]).hexdigest()

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])


def behind(device: PacketDevice) -> ImpairedDevice:
    """The device as ``--impair loss=5%,reorder=10%,seed=1`` has it."""
    path = parse(["loss=5%,reorder=10%,seed=1"])
    assert path is not None
    return ImpairedDevice(device, path.inbound, path.outbound, seed=path.seed)


@families
@offloads
async def test_20_mb_down(family: int, offload: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    async with serving("80", offload=offload, wrap=behind) as stack:
        await curl(url(family, f"/bytes/{SIZE}"), "-o", str(file))
        stats = stack.stats()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == DIGEST
    assert stats["device-path-out-lost"] > 500
    assert stats["device-path-out-reordered"] > 1000
    assert stats["retransmissions"] > 0


@families
@offloads
async def test_20_mb_up(family: int, offload: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes((block() * 20)[:SIZE])
    async with serving("80", offload=offload, wrap=behind) as stack:
        answer = json.loads(await curl(url(family, "/upload"), "-T", str(file)))
        stats = stack.stats()
    assert answer == {"bytes": SIZE, "sha256": DIGEST}
    assert stats["device-path-in-lost"] > 500
    assert stats["device-path-in-reordered"] > 1000
