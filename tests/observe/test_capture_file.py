"""Files of captures: whole blocks, bounded, for their owner."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.observe.pcapng_reader import packets
from usertcp.observe.capture_file import LEAST_RING, CaptureFile
from usertcp.observe.pcapng import Packet, Source, packet_block, preamble

BEGINNING = preamble(Source("test"))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away, and follows no links")


def block(number: int, size: int = 1000) -> bytes:
    return packet_block(Packet(number.to_bytes(4, "big") + bytes(size), number))


def numbers(path: Path) -> list[int]:
    return [int.from_bytes(each.data[:4], "big") for each in packets(path.read_bytes())]


def test_what_was_written_is_there_when_it_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    file = CaptureFile(str(path))
    assert path.read_bytes() == b""
    file.begin(BEGINNING)
    file.write(block(1))
    assert file.waiting == len(BEGINNING) + len(block(1))
    assert path.read_bytes() == b""
    file.flush()
    assert file.waiting == 0
    assert numbers(path) == [1]
    file.write(block(2))
    file.close()
    file.close()
    assert numbers(path) == [1, 2]


def test_a_new_file_is_its_owner_s_alone_and_one_that_is_there_stays_what_it_is(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_bytes(bytes(100_000))
    old.chmod(0o640)
    for path in (new, old):
        file = CaptureFile(str(path))
        file.begin(BEGINNING)
        file.close()
        assert numbers(path) == []
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


@as_root
def test_a_new_file_belongs_to_the_person_behind_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "2345")
    path, old = tmp_path / "capture", tmp_path / "old"
    old.touch()
    file = CaptureFile(str(path), ring=LEAST_RING)
    file.begin(BEGINNING)
    for number in range(600):
        file.write(block(number))
    file.close()
    CaptureFile(str(old)).close()
    owners = [(each.stat().st_uid, each.stat().st_gid) for each in (path, tmp_path / "capture.1", old)]
    assert owners == [(1234, 2345), (1234, 2345), (0, 0)]


@as_root
def test_root_follows_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"somebody else's")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        CaptureFile(str(tmp_path / "link"))
    assert (tmp_path / "target").read_bytes() == b"somebody else's"


def test_a_ring_holds_the_newest_and_is_never_larger(tmp_path: Path) -> None:
    path, before = tmp_path / "capture", tmp_path / "capture.1"
    before.write_bytes(b"of an earlier run")
    file = CaptureFile(str(path), ring=LEAST_RING)
    assert not before.exists()
    file.begin(BEGINNING)
    largest = 0
    for number in range(5000):
        file.write(block(number, number % 3000))
        if number % 7 == 0:
            file.flush()
        files = [each for each in (path, before) if each.exists()]
        largest = max(largest, sum(each.stat().st_size for each in files))
        if number % 101 == 0:
            file.flush()
            assert numbers(path)[-1] == number
    file.close()
    assert LEAST_RING * 0.9 < largest <= LEAST_RING
    kept = numbers(before) + numbers(path)
    assert kept == list(range(kept[0], 5000))
    assert len(kept) > 300


def test_a_reader_of_a_ring_keeps_the_file_that_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    file = CaptureFile(str(path), ring=LEAST_RING)
    file.begin(BEGINNING)
    file.write(block(0))
    file.flush()
    with path.open("rb") as reader:
        for number in range(1, 600):
            file.write(block(number))
        file.close()
        seen = [int.from_bytes(each.data[:4], "big") for each in packets(reader.read())]
    assert seen == list(range(len(seen)))
    assert numbers(path)[0] == len(seen)


def test_a_ring_needs_a_file() -> None:
    with pytest.raises(OSError, match="ring needs a file"):
        CaptureFile("/dev/null", ring=LEAST_RING)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CaptureFile(str(tmp_path / "no" / "capture"))
    with pytest.raises(IsADirectoryError):
        CaptureFile(str(tmp_path))


FULL_DISK = """
import resource, sys
from tests.observe.test_capture_file import BEGINNING, block
from usertcp.observe.capture_file import CaptureFile

file = CaptureFile(sys.argv[1])
file.begin(BEGINNING)
for number in range(10):
    file.write(block(number))
file.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    for number in range(10, 30):
        file.write(block(number))
    file.flush()
except OSError as error:
    print(error.strerror)
file.close()
"""


def test_a_full_disk_leaves_whole_blocks(tmp_path: Path) -> None:
    """A limit on the size of files, since full disks are hard to come by: a write is cut, the next one fails."""
    path = tmp_path / "capture"
    assert run(FULL_DISK, str(path)) == b"File too large\n"
    assert numbers(path) == list(range(10))


def test_standard_output_is_not_closed(tmp_path: Path) -> None:
    script = "\n".join(
        (
            "from tests.observe.test_capture_file import BEGINNING",
            "from usertcp.observe.capture_file import CaptureFile",
            "file = CaptureFile('-')",
            "file.begin(BEGINNING)",
            "file.close()",
            "print('still there')",
        )
    )
    assert run(script) == BEGINNING + b"still there\n"


def run(script: str, *arguments: str) -> bytes:
    """What it prints."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=root, stdout=subprocess.PIPE, check=True)
    return done.stdout
