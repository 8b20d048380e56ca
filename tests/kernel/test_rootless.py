"""The tests marked ``rootless`` once more, as a uid without privileges, in a user namespace."""

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
    open_the_way([ROOT, *{Path(each).resolve() for each in (sys.prefix, sys.base_prefix)}])
    enter = "from usertcp.runtime import namespace; namespace.enter()"
    probe = as_nobody(sys.executable, "-c", enter, environment=environment)
    if probe.returncode != 0:
        pytest.skip(f"user namespaces are not for everybody here: {probe.stdout.strip().splitlines()[-1]}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "rootless", "tests"]
    done = as_nobody(*command, environment=environment)
    print(done.stdout)
    assert done.returncode == 0
