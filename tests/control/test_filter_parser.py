"""Filters: what is understood selects what it says, and what is not is told in one line."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.control.filter import Subject, asks_for_states
from usertcp.control.filter_parser import MAX_DEPTH, MAX_LENGTH, STATES, FilterError, parse
from usertcp.tcp.states import State

V4 = ip_address("192.0.2.2").packed
V6 = ip_address("fd00:9293::2").packed
HTTP = Subject(State.ESTABLISHED, V4, 80, ip_address("192.0.2.1").packed, 43942)
LISTENER = Subject(State.LISTEN, b"", 80, b"", 0)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("state established", True),
        ("state ESTAB", True),
        ("state listen state established", True),
        ("exclude established", False),
        ("state established exclude established", False),
        ("sport = :80", True),
        ("sport :80", True),
        ("sport 80", True),
        ("sport=:80", True),
        ("sport eq 80", True),
        ("sport != 80", False),
        ("dport >= 43942 and dport <= 43942", True),
        ("dport > 43942 or dport < 43942", False),
        ("sport gt :79", True),
        ("src 192.0.2.2", True),
        ("src = 192.0.2.2", True),
        ("src 192.0.2.0/24", True),
        ("src 192.0.2.99/24", True),
        ("src 192.0.2.0/24:80", True),
        ("src 192.0.2.2:81", False),
        ("src :80", True),
        ("src *:80 dst *", True),
        ("dst 192.0.2.1:43942", True),
        ("src ::/0", False),
        ("src fd00:9293::2", False),
        ("not src 192.0.2.2", False),
        ("! dst 192.0.2.2", True),
        ("(sport = :81 || sport = :80) && state connected", True),
        ("sport = :81 or sport = :80 and state time-wait", False),
        ("not not sport = :80", True),
    ],
)
def test_what_a_filter_selects(text: str, matches: bool) -> None:
    assert parse(text).matches(HTTP) is matches
    assert parse(text.split()).matches(HTTP) is matches


@pytest.mark.parametrize(
    "text", ["src [fd00:9293::2]:80", "src fd00:9293::2", "src [fd00:9293::]/64:80", "src fd00::/16"]
)
def test_ipv6_with_and_without_brackets(text: str) -> None:
    assert parse(text).matches(HTTP._replace(local_address=V6))
    assert not parse(text).matches(HTTP)


def test_a_listener_on_every_address_is_at_none() -> None:
    assert parse("src :80").matches(LISTENER)
    assert not parse("src 0.0.0.0/0").matches(LISTENER)
    assert parse("state listening").matches(LISTENER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo", "not understood: 'foo'; a filter is made of: state NAME"),
        ("state", "the end of the filter is no state: there are closed, listen, syn-sent"),
        ("state \x1b[31m", r"'\x1b[31m' is no state"),
        ("sport = http", "'http' is no port: write it as :80"),
        ("sport = :65536", "':65536' is no port"),
        ("dport <", "the end of the filter is no port"),
        ("src 1.2.3", "'1.2.3' is no address: write it as 192.0.2.2, 192.0.2.0/24:80, [fd00:9293::2]:80 or :80"),
        ("src 192.0.2.2:99999", "is no address"),
        ("src fe80::1%eth0", "is no address"),
        ("src", "the end of the filter is no address"),
        ("(sport = :80", 'a ")" is missing at the end of the filter'),
        ("sport = :80)", "the filter is complete before ')'"),
        ("or", "not understood: 'or'"),
        ("and sport = :80", "not understood: 'and'"),
        ("not", "not understood: the end of the filter"),
        ("not " * (MAX_DEPTH + 1) + "src *", f"deeper than {MAX_DEPTH} levels"),
        ("(" * 1000, f"deeper than {MAX_DEPTH} levels"),
        ("src * " * MAX_LENGTH, f"longer than {MAX_LENGTH} characters"),
    ],
)
def test_what_is_not_understood_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "asks"),
    [("", False), ("sport = :80", False), ("src * (not state all or src *)", True), ("exclude listen", True)],
)
def test_whether_it_asks_for_states(text: str, asks: bool) -> None:
    assert asks_for_states(parse(text)) is asks


# -- Properties ---------------------------------------------------------------------------------------------

subjects = st.builds(
    Subject,
    st.sampled_from(State),
    st.sampled_from([V4, V6, b"", b"\x0a\0\0\1"]),
    st.integers(79, 82),
    st.sampled_from([V4, V6, b"", b"\x0a\0\0\1"]),
    st.integers(79, 82),
)

Predicate = Callable[[Subject], bool]


@st.composite
def terms(draw: st.DrawFn) -> tuple[str, Predicate]:
    """One term's text, and what it means, said another way."""
    kind = draw(st.sampled_from(["state", "exclude", "port", "address"]))
    if kind in ("state", "exclude"):
        name = draw(st.sampled_from(sorted(STATES)))
        states = STATES[name]
        text = draw(st.sampled_from([name, name.upper()]))
        # In parentheses, since neighbouring states add up.
        return f"({kind} {text})", lambda subject: (subject.state in states) == (kind == "state")
    local = draw(st.booleans())
    port = draw(st.integers(79, 82))
    if kind == "port":
        sign, compare = draw(
            st.sampled_from([("=", port.__eq__), ("!=", port.__ne__), ("<", port.__gt__), (">=", port.__le__)])
        )
        text = f"{'sport' if local else 'dport'} {sign} :{port}"
        return text, lambda subject: compare(subject.local_port if local else subject.remote_port)
    network = draw(st.sampled_from(["192.0.2.0/24", "10.0.0.0/8", "0.0.0.0/0"]))

    def in_network(subject: Subject) -> bool:
        address, at = subject[1:3] if local else subject[3:5]
        return len(address) == 4 and ip_address(address) in ip_network(network) and at == port

    return f"{'src' if local else 'dst'} {network}:{port}", in_network


def combined(inner: st.SearchStrategy[tuple[str, Predicate]]) -> st.SearchStrategy[tuple[str, Predicate]]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", lambda subject: not one[1](subject))),
        pairs.map(lambda two: (f"({two[0][0]}) or {two[1][0]}", lambda s: two[0][1](s) or two[1][1](s))),
        pairs.map(lambda two: (f"({two[0][0]}) ({two[1][0]})", lambda s: two[0][1](s) and two[1][1](s))),
        pairs.map(lambda two: (f"({two[0][0]}) and ({two[1][0]})", lambda s: two[0][1](s) and two[1][1](s))),
    )


@given(st.recursive(terms(), combined, max_leaves=6), subjects)
def test_a_filter_means_what_its_words_say(written: tuple[str, Predicate], subject: Subject) -> None:
    text, meaning = written
    assert parse(text).matches(subject) is meaning(subject)


WORDS = ["state", "exclude", "sport", "dst", "src", "=", "<", "and", "or", "not", "(", ")", ":80", "listen", "10.0.0.1"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join)), subjects)
def test_any_text_is_a_filter_or_a_line_that_says_why_not(text: str, subject: Subject) -> None:
    try:
        wanted = parse(text)
    except FilterError as error:
        said = str(error)
    else:
        said = str(wanted.matches(subject))
    assert said.isprintable()
