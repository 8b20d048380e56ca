"""TCP options of an expected and an actual segment, both in the script's numbers."""

from __future__ import annotations

from collections.abc import Set

from usertcp.drill.ignore import Ignore
from usertcp.drill.packets.flow import Flow
from usertcp.drill.packets.live import Difference
from usertcp.drill.packets.options import canonical
from usertcp.drill.packets.spell import option_text, options_text
from usertcp.drill.script import TcpOption

_PADDING = frozenset(("nop", "eol"))
#: Options that a script may name without a value, which then may be any.
_VALUED = frozenset(("mss", "wscale", "TS", "sack"))

_Options = tuple[TcpOption, ...]


def compare_options(expected: _Options, actual: _Options, flow: Flow, ignore: Set[Ignore]) -> list[Difference]:
    """One difference, "options", if there are others or in another order; else one for each that differs."""
    expected = canonical(expected)
    if Ignore.OPTION_PADDING in ignore or Ignore.OPTION_ORDER in ignore:
        expected, actual = _unpadded(expected), _unpadded(actual)
    if Ignore.OPTION_ORDER in ignore:
        expected, actual = _in_order(expected), _in_order(actual)
    if [(option.kind, option.kind_number) for option in expected] != [
        (option.kind, option.kind_number) for option in actual
    ]:
        return [Difference("options", options_text(expected), options_text(actual))]
    found: list[Difference] = []
    for want, have in zip(expected, actual, strict=True):
        if want.kind != "TS":
            found += _compare_values(want, have)
        elif Ignore.TIMESTAMPS not in ignore:
            found += _compare_timestamps(want, have, flow)
    return found


def _unpadded(options: _Options) -> _Options:
    return tuple(option for option in options if option.kind not in _PADDING)


def _in_order(options: _Options) -> _Options:
    return tuple(sorted(options, key=lambda option: (option.kind, option.kind_number)))


def _compare_values(want: TcpOption, have: TcpOption) -> list[Difference]:
    if want == have or _says_nothing(want):
        return []
    return [Difference(want.kind, option_text(want), option_text(have))]


def _says_nothing(option: TcpOption) -> bool:
    """Whether the script names the option without the value that it must have."""
    if option.kind == "md5":
        return not option.data
    return option.kind in _VALUED and not option.values


def _compare_timestamps(want: TcpOption, have: TcpOption, flow: Flow) -> list[Difference]:
    found: list[Difference] = []
    if not want.values:
        return found
    if not flow.timestamp_is_due(want.values[0], have.values[0]):
        found.append(Difference("TS val", str(want.values[0]), _as_called(have.values[0], flow)))
    if want.values[1] != have.values[1]:
        found.append(Difference("TS ecr", str(want.values[1]), str(have.values[1])))
    return found


def _as_called(live: int, flow: Flow) -> str:
    script, first = flow.first_timestamp or (0, 0)
    return str((live - first + script) & 0xFFFFFFFF)
