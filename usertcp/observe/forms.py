"""The fields of trace events in JSON: how each is written, how it is read, and what a schema says of it.

All of it follows from the typed forms of :mod:`usertcp.tcp.events`: a field's annotation chooses its
:class:`Codec`, its name the bounds.  So files, their reader, their schema and the documentation cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from ipaddress import ip_address
from math import isfinite
from typing import Any, Final, NamedTuple

from usertcp.observe.names import address_text, flag_bits, flag_names
from usertcp.tcp.events import TYPES, Kind, TraceEvent
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import Options

#: Each kind's name in JSON.
KIND_NAMES: Final = {TYPES[kind]: kind.name.lower().replace("_", "-") for kind in Kind}
#: The typed form of each name.
FORMS: Final = {name: form for form, name in KIND_NAMES.items()}

_SEQUENCE: Final = 0xFFFFFFFF
#: A number that is not bounded by its meaning is by this.
_LARGEST: Final = 1 << 62
#: More does not fit into the 40 bytes of a header's options.
_MOST_OPTIONS: Final = 40


class Codec(NamedTuple):
    """``write`` makes a field's value one for :mod:`json`, ``read`` the opposite.

    ``read`` raises ValueError with what was expected.  ``words`` name the type for people, ``schema`` for JSON Schema.
    """

    words: str
    schema: Mapping[str, Any]
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class Field(NamedTuple):
    """One field of a form: its name there, its name in JSON, and whether older writers leave it out."""

    attribute: str
    name: str
    codec: Codec
    optional: bool


def _same(value: Any) -> Any:
    return value


# -- Numbers and texts ---------------------------------------------------------------------------------


def _integer(most: int) -> Codec:
    least = -most if most == _LARGEST else 0

    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"expected an integer of {least} to {most}")
        return value

    bounds = {} if most == _LARGEST else {"minimum": least, "maximum": most}
    return Codec("integer", {"type": "integer", **bounds}, _same, read)


def _read_number(value: Any) -> float:
    if type(value) is int and abs(value) <= _LARGEST:
        return float(value)
    if type(value) is not float or not isfinite(value):
        raise ValueError("expected a finite number")
    return value


def _read_of_type(wanted: type, words: str, value: Any) -> Any:
    if type(value) is not wanted:
        raise ValueError(f"expected {words}")
    return value


_NUMBER: Final = Codec("number", {"type": "number"}, _same, _read_number)
_TEXT: Final = Codec("string", {"type": "string"}, _same, partial(_read_of_type, str, "a string"))
_TRUTH: Final = Codec("true or false", {"type": "boolean"}, _same, partial(_read_of_type, bool, "true or false"))


def _or_null(codec: Codec) -> Codec:
    def write(value: Any) -> Any:
        return None if value is None else codec.write(value)

    def read(value: Any) -> Any:
        return None if value is None else codec.read(value)

    return Codec(f"{codec.words} or null", {"anyOf": [codec.schema, {"type": "null"}]}, write, read)


# -- What has names ------------------------------------------------------------------------------------


def _read_address(value: Any) -> bytes:
    try:
        return ip_address(_TEXT.read(value)).packed
    except ValueError:
        raise ValueError("expected an IP address") from None


def _read_flags(value: Any) -> int:
    bits = flag_bits(_TEXT.read(value))
    if bits is None:
        raise ValueError("expected control bits by name, as SYN,ACK, or none")
    return bits


def _names_of(names: type[Enum], words: str) -> Codec:
    members = {member.value: member for member in names}

    def read(value: Any) -> Any:
        try:
            return members[value]
        except (KeyError, TypeError):
            raise ValueError(f"expected {words}") from None

    return Codec("string", {"type": "string", "enum": list(members)}, lambda member: member.value, read)


_ADDRESS: Final = Codec("string", {"type": "string"}, address_text, _read_address)
_FLAGS: Final = Codec(
    "string",
    {"type": "string", "pattern": "^(none|(SYN|FIN|RST|PSH|ACK|URG|ECE|CWR|AE)(,(FIN|RST|PSH|ACK|URG|ECE|CWR|AE))*)$"},
    flag_names,
    _read_flags,
)


# -- Options -------------------------------------------------------------------------------------------


def _write_hex(value: bytes) -> str:
    return bytes(value).hex()


def _read_hex(value: Any) -> bytes:
    try:
        found = bytes.fromhex(_TEXT.read(value))
    except ValueError:
        raise ValueError("expected bytes as hex") from None
    if len(found) > _MOST_OPTIONS:
        raise ValueError(f"expected {_MOST_OPTIONS} bytes at most")
    return found


def _list(item: Codec, of: str) -> Codec:
    def write(value: Any) -> list[Any]:
        return [item.write(each) for each in value]

    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > _MOST_OPTIONS:
            raise ValueError(f"expected a list of {of}")
        return tuple(item.read(each) for each in value)

    return Codec(f"list of {of}", {"type": "array", "items": item.schema}, write, read)


def _read_block(value: Any) -> tuple[int, int]:
    if type(value) is not list or len(value) != 2:
        raise ValueError("expected two sequence numbers")
    number = _integer(_SEQUENCE).read
    return number(value[0]), number(value[1])


def _write_unknown(value: tuple[int, bytes]) -> dict[str, Any]:
    return {"kind": value[0], "data": _write_hex(value[1])}


def _read_unknown(value: Any) -> tuple[int, bytes]:
    if type(value) is not dict or not {"kind", "data"} <= value.keys():
        raise ValueError("expected an option's kind and data")
    return _integer(255).read(value["kind"]), _read_hex(value["data"])


_HEX: Final = Codec("string", {"type": "string", "pattern": "^([0-9a-f]{2})*$"}, _write_hex, _read_hex)
_NUMBER_OF_SEQUENCE: Final = _integer(_SEQUENCE).schema
_BLOCK: Final = Codec(
    "array", {"type": "array", "items": _NUMBER_OF_SEQUENCE, "minItems": 2, "maxItems": 2}, list, _read_block
)
_UNKNOWN: Final = Codec(
    "object",
    {
        "type": "object",
        "properties": {"kind": _integer(255).schema, "data": _HEX.schema},
        "required": ["kind", "data"],
    },
    _write_unknown,
    _read_unknown,
)
_OPTION_CODECS: Final = {
    "mss": _integer(0xFFFF),
    "window_scale": _integer(0xFF),
    "sack_permitted": _TRUTH,
    "sack": _list(_BLOCK, "ranges of sequence numbers"),
    "fast_open": _HEX,
    "user_timeout": _integer(_SEQUENCE),
    "unknown": _list(_UNKNOWN, "options"),
    "fast_open_experiment": _HEX,
}


def _write_options(options: Options) -> dict[str, Any]:
    written = zip(_OPTION_CODECS.items(), options, strict=True)
    return {
        name: codec.write(value)
        for (name, codec), value in written
        if value is not None and value is not False and value != ()
    }


def _read_options(value: Any) -> Options:
    if type(value) is not dict:
        raise ValueError("expected an object with the options")
    found = {}
    for name, codec in _OPTION_CODECS.items():
        if name in value:
            try:
                found[name] = codec.read(value[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return Options(**found)


_OPTIONS: Final = Codec(
    "object",
    {"type": "object", "properties": {name: codec.schema for name, codec in _OPTION_CODECS.items()}},
    _write_options,
    _read_options,
)


# -- Forms ---------------------------------------------------------------------------------------------

_CODECS: Final = {
    "bool": _TRUTH,
    "bytes": _ADDRESS,
    "float": _NUMBER,
    "float | None": _or_null(_NUMBER),
    "str": _TEXT,
    "str | None": _or_null(_TEXT),
    "Event": _names_of(Event, "an event of the table of states"),
    "Options": _OPTIONS,
    "State": _names_of(State, "a state of RFC 9293"),
}
#: What a number is at most, where its meaning says so.
_MOST: Final = {
    **dict.fromkeys(("seq", "ack", "edge", "start", "end", "iss", "irs", "ts_val", "ts_ecr"), _SEQUENCE),
    **dict.fromkeys(("local_port", "remote_port", "urgent"), 0xFFFF),
    "ecn": 3,
    "scale": 14,
    "conn": 1 << 53,
}
#: ``event`` is taken by the kind.
_RENAMED: Final = {"event": "cause"}


def _codec(name: str, annotation: str) -> Codec:
    if name == "flags":
        return _FLAGS
    if annotation in _CODECS:
        return _CODECS[annotation]
    number = _integer(_MOST.get(name, _LARGEST))
    return _or_null(number) if annotation == "int | None" else number


def _fields(form: type[TraceEvent]) -> tuple[Field, ...]:
    return tuple(
        Field(
            name,
            _RENAMED.get(name, name),
            _codec(name, str(getattr(annotation, "__forward_arg__", annotation))),
            name in form._field_defaults,
        )
        for name, annotation in form.__annotations__.items()
    )


#: The fields of each form, in their order.
FIELDS: Final = {form: _fields(form) for form in TYPES}
