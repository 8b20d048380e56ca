"""What a uid without privileges can do: the tests marked ``rootless`` once more, in a user namespace of its
own, and a TUN that root has prepared."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from usertcp.runtime import namespace
from usertcp.runtime.tun import NODE_VARIABLE

NOBODY = 65534
ROOT = Path(__file__).parents[2]
TUN_DEVICE = os.makedev(10, 200)
# <sys/mount.h>
MS_BIND = 0x1000
MS_REC = 0x4000


def as_nobody(*command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=os.environ | environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


@pytest.fixture
def mounts() -> None:
    """Let what this test mounts be seen by nobody else, and end with it."""
    namespace.unshare(namespace.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@pytest.fixture
def home(mounts: None) -> Iterator[Path]:
    """A directory of nobody's, on a filesystem that may hold device nodes."""
    path = Path(tempfile.mkdtemp(prefix="usertcp-rootless-"))
    path.chmod(0o755)
    mode = f"mode=755,uid={NOBODY},gid={NOBODY}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", mode, "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)
    path.rmdir()


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    node = home / "tun"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, TUN_DEVICE)
    except PermissionError:
        pytest.skip("this root may not make device nodes")
    node.chmod(0o666)
    open_the_way([ROOT, *{Path(each).resolve() for each in (sys.prefix, sys.base_prefix)}])
    return {
        NODE_VARIABLE: str(node),
        "HOME": str(home),
        "TMPDIR": str(home),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
        # So that a test which is skipped there fails here.
        "CI": "true",
    }


def is_passable(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)


def open_the_way(paths: list[Path]) -> None:
    """Make `paths` reachable for others, below directories that only root may enter (``/root``).

    Such a directory is covered by an empty one in which only the paths themselves are mounted.
    """
    barriers = {
        path: next((above for above in reversed(path.parents) if not is_passable(above)), None) for path in paths
    }
    for barrier in {each for each in barriers.values() if each is not None}:
        hidden = [path for path in paths if barriers[path] == barrier]
        handles = [os.open(path, os.O_PATH) for path in hidden]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", barrier], check=True)
        for path, handle in zip(hidden, handles, strict=True):
            path.mkdir(parents=True, exist_ok=True)
            # Not mount(8): it would resolve this to the path, where by now there is nothing.
            namespace.mount(f"/proc/self/fd/{handle}", str(path), None, MS_BIND | MS_REC)


@pytest.mark.kernel(timeout=600)
def test_without_privileges(environment: dict[str, str]) -> None:
    enter = "from usertcp.runtime import namespace; namespace.enter()"
    probe = as_nobody(sys.executable, "-c", enter, environment=environment)
    if probe.returncode != 0:
        pytest.skip(f"user namespaces are not for everybody here: {probe.stdout.strip().splitlines()[-1]}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "rootless", "tests"]
    done = as_nobody(*command, environment=environment)
    print(done.stdout)
    assert done.returncode == 0


USE_HANDED_OVER = """
from usertcp.runtime.interface import configure, parse_address
from usertcp.runtime.tun import Tun
tun = Tun()
print(configure(tun.name, [parse_address("192.0.2.2/24")], mtu=1500), tun.offload, tun.persistent)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def test_a_device_that_was_handed_over(environment: dict[str, str]) -> None:
    """Root makes it, gives it addresses and brings it up; then no capability is needed."""

    def use() -> str:
        done = as_nobody(sys.executable, "-c", USE_HANDED_OVER, environment=environment)
        return done.stdout.strip().splitlines()[-1]

    assert "no permission to make the TUN usertcp0: use sudo" in use()
    ip("tuntap", "add", "dev", "usertcp0", "mode", "tun", "user", str(NOBODY), "vnet_hdr")
    assert use().endswith(
        "no permission to configure usertcp0: run it as root, or first: sudo ip address add 192.0.2.1/24 dev usertcp0"
    )
    ip("address", "add", "192.0.2.1/24", "dev", "usertcp0")
    assert use().endswith("or first: sudo ip link set usertcp0 up")
    ip("link", "set", "usertcp0", "up")
    short_queue = "the queue of usertcp0 is short and may lose packets: sudo ip link set usertcp0 txqueuelen 10000"
    assert use() == f"Configured(addresses=(IPv4Interface('192.0.2.2/24'),), warnings=('{short_queue}',)) True True"
    ip("link", "set", "usertcp0", "txqueuelen", "10000")
    assert use() == "Configured(addresses=(IPv4Interface('192.0.2.2/24'),), warnings=()) True True"
    ip("tuntap", "delete", "dev", "usertcp0", "mode", "tun")
