"""Words that scripts' own runners define."""

from __future__ import annotations

import pytest

from usertcp.drill.options import Options
from usertcp.drill.outcome import Result
from usertcp.drill.predefined import words
from usertcp.drill.runner import How, run_text

#: Known from the collections' own runners.
IPV4 = ("3021b9d889017eeb", "b7c12350a90dc8f5")
IPV6 = "c1d1e9742a47a9bc"


def test_cookies_are_those_of_the_published_runners() -> None:
    found = words("linux", Options())
    assert (found["TFO_COOKIE"], found["TFO_COOKIE_ZERO"]) == IPV4
    assert (found["CMSG_LEVEL_IP"], found["CMSG_TYPE_RECVERR"]) == ("SOL_IP", "IP_RECVERR")
    found = words("linux", Options(ip_version="ipv6"))
    assert found["TFO_COOKIE"] == IPV6
    assert (found["CMSG_LEVEL_IP"], found["CMSG_TYPE_RECVERR"]) == ("SOL_IPV6", "IPV6_RECVERR")
    found = words("linux", Options(ip_version="ipv4-mapped-ipv6"))
    assert found["TFO_COOKIE"] == IPV4[0]
    assert (found["CMSG_LEVEL_IP"], found["CMSG_TYPE_RECVERR"]) == ("SOL_IPV6", "IPV6_RECVERR")


def test_other_profiles_have_none() -> None:
    assert words("freebsd", Options()) == words("usertcp", Options()) == {}


@pytest.mark.parametrize(
    ("first", "how", "level"),
    [
        ("", How("linux"), "SOL_IP"),
        ("--ip_version=ipv6\n", How("linux"), "SOL_IPV6"),
        ("", How("linux", options=[("ip_version", "ipv6")]), "SOL_IPV6"),
        ("--define=CMSG_LEVEL_IP=SOL_UDP\n", How("linux"), "SOL_UDP"),
        ("--define=CMSG_LEVEL_IP=SOL_UDP\n", How("linux", defines={"CMSG_LEVEL_IP": "SOL_TCP"}), "SOL_TCP"),
    ],
)
def test_scripts_have_them_and_may_have_their_own(first: str, how: How, level: str) -> None:
    numbers = {"SOL_IP": 0, "SOL_IPV6": 41, "SOL_UDP": 17, "SOL_TCP": 6}
    text = f"{first}0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = CMSG_LEVEL_IP\n"
    outcome = run_text(text, "x", how)
    assert outcome.result is (Result.PASSED if numbers[level] == 0 else Result.FAILED)
    assert f"expected {numbers[level]}, got 0" in outcome.reason or numbers[level] == 0
