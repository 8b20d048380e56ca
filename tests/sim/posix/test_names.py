import select
import socket

import pytest

from usertcp.sim.posix import constants, freebsd
from usertcp.sim.posix.names import own_number, value

#: Modules of this Python that have names of the C library's headers.
KNOWN = {
    name: int(number)
    for module in (socket, select)
    for name, number in vars(module).items()
    if name.isupper() and isinstance(number, int)
}


def test_the_numbers_are_the_systems() -> None:
    common = KNOWN.keys() & vars(constants).keys()
    assert len(common) > 100
    for name in common:
        assert vars(constants)[name] == KNOWN[name], name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SO_REUSEADDR", 2), ("TCP_INFO", 11), ("TCP_CA_Recovery", 3), ("Final", None), ("no_such", None)],
)
def test_names_of_linux(name: str, expected: int | None) -> None:
    assert value(name) == expected
    assert own_number(name) == expected


def test_freebsd_shares_the_numbers_of_what_it_shares() -> None:
    assert value("SO_REUSEADDR", "freebsd") == constants.SO_REUSEADDR
    assert own_number("SO_REUSEADDR", "freebsd") == 4
    assert value("TCP_NOPUSH", "freebsd") == constants.TCP_CORK
    assert own_number("TCP_NOPUSH", "freebsd") == 4
    assert value("TCPS_ESTABLISHED", "freebsd") == 4
    assert value("SOCK_STREAM", "freebsd") == constants.SOCK_STREAM


def test_neither_has_what_only_the_other_has() -> None:
    for name in ("TCP_CORK", "TCP_QUICKACK", "EPOLLIN", "SO_MARK", "IP_RECVERR"):
        assert value(name, "freebsd") is None
    for name in ("TCP_FUNCTION_BLK", "SO_NOSIGPIPE", "TCPS_LISTEN"):
        assert value(name) is None
        assert value(name, "freebsd") is not None


def test_no_option_of_freebsd_is_taken_for_another() -> None:
    for prefix in ("SO_", "TCP_", "IP_", "IPV6_"):
        numbers: dict[int, str] = {}
        for name in freebsd.NUMBERS:
            if not name.startswith(prefix):
                continue
            number = value(name, "freebsd")
            assert number is not None
            other = numbers.setdefault(number, name)
            assert other == name or own_number(other, "freebsd") == own_number(name, "freebsd")
