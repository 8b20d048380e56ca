from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.services.registry import SERVICES, BindingError, parse_binding


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        ("80", "80:http"),
        ("7", "7:echo"),
        ("9", "9:discard"),
        ("13", "13:daytime"),
        ("19", "19:chargen"),
        ("8080", "8080:http"),
        ("7:http", "7:http"),
        ("65535:echo", "65535:echo"),
    ],
)
def test_a_port_knows_its_service(text: str, binding: str) -> None:
    assert str(parse_binding(text)) == binding


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "out of range"),
        ("65536", "out of range"),
        ("9" * 5000, "out of range"),
        ("http", "not a port"),
        ("-1", "not a port"),
        ("", "not a port"),
        ("٣", "not a port"),  # a digit to Python, no port to us
        ("80:", "there is no service ''"),
        ("80:gopher", "there is no service 'gopher'; there are http, echo, discard, daytime, chargen"),
        ("80:\x1b[31m", "\\x1b"),
    ],
)
def test_an_error_says_what_would_do(text: str, words: str) -> None:
    with pytest.raises(BindingError) as caught:
        parse_binding(text)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text())
def test_any_text_is_a_binding_or_an_error(text: str) -> None:
    with suppress(BindingError):
        binding = parse_binding(text)
        assert 1 <= binding.port <= 65535
        assert binding.service in SERVICES.values()
