"""Page faults, counted in a process of its own: memory that is freed is there for what comes next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ROUNDS = """
import resource
from usertcp.runtime.memory import keep_what_is_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def batch():
    packets = [b"x" * 65_000 for _ in range(64)]
    return b"".join(packets[:16])

{prepare}
batch()
before = faults()
for _ in range(20):
    batch()
print(faults() - before)
"""


def faults(prepare: str) -> int:
    """Of twenty batches after the first one."""
    code = ROUNDS.format(prepare=prepare)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so eagerly")
def test_a_batch_finds_the_memory_of_the_one_before() -> None:
    assert faults("keep_what_is_freed()") < 1000 < faults("")
