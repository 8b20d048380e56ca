from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.observe.forms import FIELDS, KIND_NAMES
from usertcp.observe.jsonl import MAX_LINE, BadLine, from_line, read, read_file, to_line
from usertcp.tcp.events import TYPES, Congestion, Deleted, Dropped, Opened, SegmentIn, TraceEvent
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import Options

DELETED = Deleted(9.0, 1, "")
LINE = to_line(DELETED)

# -- What was written is read --------------------------------------------------------------------------

sequence = st.integers(0, 0xFFFFFFFF)
cookie = st.binary(max_size=16)
options = st.builds(
    Options,
    mss=st.none() | st.integers(0, 0xFFFF),
    window_scale=st.none() | st.integers(0, 255),
    sack_permitted=st.booleans(),
    sack=st.lists(st.tuples(sequence, sequence), max_size=4).map(tuple),
    fast_open=st.none() | cookie,
    user_timeout=st.none() | st.integers(0, 0x7FFF * 60),
    unknown=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=38)), max_size=4).map(tuple),
    fast_open_experiment=st.none() | cookie,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
by_annotation: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "bytes": st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16),
    "float": finite,
    "float | None": st.none() | finite,
    "int | None": st.none() | sequence,
    "str": st.text(),
    "str | None": st.none() | st.text(),
    "Event": st.sampled_from(Event),
    "Options": options,
    "State": st.sampled_from(State),
}
by_name: dict[str, st.SearchStrategy[Any]] = {
    "flags": st.integers(0, 0x1FF),
    "ecn": st.integers(0, 3),
    "scale": st.integers(0, 14),
    "local_port": st.integers(0, 0xFFFF),
    "remote_port": st.integers(0, 0xFFFF),
    "urgent": st.integers(0, 0xFFFF),
    "conn": st.integers(0, 1 << 40),
}


def events_of(form: type[TraceEvent]) -> st.SearchStrategy[TraceEvent]:
    fields = {
        name: by_name.get(name, by_annotation.get(str(annotation.__forward_arg__), sequence))
        for name, annotation in form.__annotations__.items()
    }
    made: st.SearchStrategy[TraceEvent] = st.builds(form, **fields)
    return made


@pytest.mark.parametrize("form", TYPES, ids=KIND_NAMES.values())
@given(data=st.data())
def test_what_is_written_is_read_back(form: type[TraceEvent], data: st.DataObject) -> None:
    event = data.draw(events_of(form))
    line = to_line(event)
    assert line.isascii()
    assert "\n" not in line
    assert list(read([line])) == [event]


def test_one_line_by_itself() -> None:
    assert from_line(LINE) == DELETED
    assert from_line(changed(LINE, event="telepathy")) is None
    with pytest.raises(BadLine):
        from_line(LINE[:-5])


def test_several_lines_with_empty_ones_between() -> None:
    dropped = Dropped(1.0, 0, "no-connection", "3.10.7.1", 1, 0)
    text = f"\n{to_line(dropped)}\n  \n{LINE}\n\n"
    assert list(read_file(io.StringIO(text))) == [dropped, DELETED]


# -- What a later version writes -----------------------------------------------------------------------


def changed(line: str, **fields: Any) -> str:
    return json.dumps(json.loads(line) | fields)


def without(line: str, *names: str) -> str:
    made = json.loads(line)
    for name in names:
        del made[name]
    return json.dumps(made)


def test_kinds_of_a_later_version_are_passed_over_and_counted() -> None:
    reader = read([changed(LINE, event="telepathy"), LINE, changed(LINE, event="séance")])
    assert list(reader) == [DELETED]
    assert reader.unknown == 2


def test_fields_and_options_of_a_later_version_are_passed_over() -> None:
    segment = SegmentIn(1.5, 3, 1, 7, 0x12, 65535, 0, 1, None, Options(mss=1460))
    made = json.loads(to_line(segment)) | {"mood": [1]}
    made["options"]["tea"] = {}
    assert list(read([json.dumps(made)])) == [segment]


def test_fields_that_an_earlier_version_did_not_write_have_their_defaults() -> None:
    event = Congestion(1.0, 1, "a loss", 10, 5)
    assert list(read([without(to_line(event), "state", "in_flight")])) == [event]


# -- What is wrong -------------------------------------------------------------------------------------

OPENED = to_line(Opened(0.0, 1, bytes(4), 80, bytes(16), 5, "passive"))
SEGMENT = to_line(SegmentIn(1.5, 3, 1, 7, 0x12, 65535, 0, 1, None, Options()))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rubbish\n", "not JSON: Expecting value"),
        ("rubbish", "not JSON: Expecting value"),
        ('{"v":1', "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 50_000, "not JSON: too deep, or too large"),
        ('{"v":' + "9" * 10_000 + "}", "not JSON: too deep, or too large"),
        ("{}", "an event without a version"),
        (changed(LINE, v=2), "an event of version 2, this usertcp reads version 1"),
        (changed(LINE, v=True), "an event of version True"),
        (changed(LINE, event=None), "the event's kind is missing"),
        (without(LINE, "error"), "deleted has no error"),
        (changed(LINE, error=7), "error of deleted is 7: expected a string"),
        (changed(LINE, time=float("nan")), "time of deleted is nan: expected a finite number"),
        (changed(LINE, time=10**400), "time of deleted is 1000"),
        (changed(LINE, time="soon"), "expected a finite number"),
        (changed(LINE, time=True), "expected a finite number"),
        (changed(LINE, conn=-1), "conn of deleted is -1: expected an integer of 0"),
        (changed(LINE, conn=1.0), "expected an integer"),
        (changed(LINE, conn=False), "expected an integer"),
        (changed(OPENED, local_port=65536), "expected an integer of 0 to 65535"),
        (changed(OPENED, local_address="example.org"), "expected an IP address"),
        (changed(OPENED, local_address=7), "expected an IP address"),
        (changed(SEGMENT, seq=1 << 32), "expected an integer of 0 to 4294967295"),
        (changed(SEGMENT, flags="SYN,NYS"), "expected control bits by name"),
        (changed(SEGMENT, flags="ACK,SYN"), "expected control bits by name"),
        (changed(SEGMENT, flags=""), "expected control bits by name"),
        (changed(SEGMENT, options=[]), "expected an object with the options"),
        (changed(SEGMENT, options={"mss": -1}), "mss: expected an integer of 0 to 65535"),
        (changed(SEGMENT, options={"sack": [[1]]}), "sack: expected two sequence numbers"),
        (changed(SEGMENT, options={"sack": [[1, 2]] * 41}), "sack: expected a list"),
        (changed(SEGMENT, options={"fast_open": "xy"}), "fast_open: expected bytes as hex"),
        (changed(SEGMENT, options={"fast_open": "00" * 41}), "fast_open: expected 40 bytes at most"),
        (changed(SEGMENT, options={"unknown": [{"kind": 1}]}), "unknown: expected an option's kind and data"),
        (" " * MAX_LINE + LINE, "it is longer than 65,536 characters"),
    ],
    ids=range(35),
)
def test_a_bad_line_is_named(line: str, reason: str) -> None:
    reader = read([f"{LINE}\n", f"{line}\n" if line[-1] != "\n" else line, LINE])
    assert next(reader) == DELETED
    with pytest.raises(BadLine) as bad:
        next(reader)
    assert bad.value.line == 2
    assert reason in str(bad.value)
    assert str(bad.value).startswith("line 2: ")
    assert next(reader) == DELETED


def test_what_is_quoted_of_a_bad_line_is_escaped_and_short() -> None:
    with pytest.raises(BadLine) as bad:
        list(read([changed(LINE, conn="\x1b[2J\u202e" * 1000)]))
    assert str(bad.value).isascii()
    assert str(bad.value).isprintable()
    assert len(str(bad.value)) < 200


def test_a_last_line_that_breaks_off_ends_the_events() -> None:
    reader = read_file(io.StringIO(f"{LINE}\n{LINE[:-5]}"))
    assert list(reader) == [DELETED]
    assert reader.broke_off


def test_a_file_that_is_nothing_but_a_broken_line_is_no_file_of_events() -> None:
    with pytest.raises(BadLine):
        list(read_file(io.StringIO('{"v"')))


class Endless(io.TextIOBase):
    """A file without any line end; counts what is read of it."""

    def __init__(self) -> None:
        self.given = 0

    def readline(self, size: int | None = -1, /) -> str:
        assert size is not None
        assert 0 < size < 1 << 20
        self.given += size
        return "x" * size


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    file = Endless()
    with pytest.raises(BadLine):
        list(read_file(file))
    assert file.given <= MAX_LINE + 1


nested = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text() | nested.map(json.dumps))
def test_no_text_is_more_than_a_bad_line(text: str) -> None:
    _survives(text)


@given(
    st.sampled_from([LINE, OPENED, SEGMENT]).map(json.loads),
    st.dictionaries(st.sampled_from(sorted(by_name)), st.none() | st.integers() | st.text() | st.lists(st.integers())),
)
def test_no_value_of_a_field_is_more_than_a_bad_line(made: dict[str, Any], fields: dict[str, Any]) -> None:
    _survives(json.dumps(made | fields))


def _survives(text: str) -> None:
    reader = read(io.StringIO(text))
    for _ in _until_end(reader):
        pass


def _until_end(reader: Iterator[TraceEvent]) -> Iterator[None]:
    while True:
        try:
            next(reader)
        except StopIteration:
            return
        except BadLine:
            yield


def test_each_form_has_a_codec_for_each_field() -> None:
    for form in TYPES:
        assert [field.attribute for field in FIELDS[form]] == list(form._fields)
