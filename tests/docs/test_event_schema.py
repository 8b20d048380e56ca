"""docs/events.schema.json describes what is written: the examples, recorded connections, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.observe.scenes import SCENES
from usertcp.observe.forms import KIND_NAMES
from usertcp.observe.jsonl import from_line, to_line

DOCS = Path(__file__).parents[2] / "docs"


@cache
def schema() -> Draft202012Validator:
    made = json.loads((DOCS / "events.schema.json").read_text())
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def examples() -> list[str]:
    lines = (DOCS / "events.md").read_text().splitlines()
    return [line for line in lines if line.startswith('{"v":')]


def problems(line: str) -> list[str]:
    return [error.message for error in schema().iter_errors(json.loads(line))]


def test_each_kind_has_an_example_that_is_valid_and_can_be_read() -> None:
    assert {json.loads(line)["event"] for line in examples()} == set(KIND_NAMES.values())
    for line in examples():
        assert problems(line) == []
        event = from_line(line)
        assert event is not None
        assert to_line(event) == line


@pytest.mark.parametrize("name", sorted(SCENES))
def test_what_is_recorded_is_valid(name: str) -> None:
    for event in SCENES[name]():
        assert problems(to_line(event)) == []


@pytest.mark.kernel
def test_a_real_run_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    command = ["--impair", "loss=5%,delay=1ms,seed=3", "--events", str(path), "--"]
    curl = ["curl", "-s", "-o", "/dev/null", "http://192.0.2.2/bytes/300000"]
    subprocess.run([sys.executable, "-m", "usertcp", "try", *command, *curl], check=True, capture_output=True)
    lines = path.read_text().splitlines()
    assert len(lines) > 200
    assert {"peer", "estimate", "retransmit"} <= {json.loads(line)["event"] for line in lines}
    for line in lines:
        assert problems(line) == []


def changed(line: str, **fields: Any) -> str:
    return json.dumps(json.loads(line) | fields)


def test_what_is_wrong_is_not_valid() -> None:
    opened = next(line for line in examples() if '"opened"' in line)
    assert problems(changed(opened, v=2))
    assert problems(changed(opened, local_port=65536))
    assert problems(changed(opened, role=None))
    assert problems(changed(opened, conn=-1))
    without = json.loads(opened)
    del without["remote_port"]
    assert problems(json.dumps(without))


def test_what_a_later_version_adds_is_valid() -> None:
    opened = next(line for line in examples() if '"opened"' in line)
    assert problems(changed(opened, mood="good")) == []
    assert problems(changed(opened, event="telepathy")) == []
