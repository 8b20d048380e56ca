"""System calls and the expressions in them."""

import pytest

from usertcp.drill.errors import ScriptError
from usertcp.drill.parser import parse
from usertcp.drill.script import Anything, Array, Call, Number, Operation, Structure, SystemCall, Text, Word


def call(text):
    (event,) = parse(f"+0 {text}", "x.pkt").events
    assert isinstance(event.action, SystemCall)
    return event.action


def value(text):
    (argument,) = call(f"f({text}) = 0").arguments
    return argument


def error(text):
    with pytest.raises(ScriptError) as caught:
        call(text)
    assert caught.value.line == 1
    return caught.value.reason


# -- Calls ----------------------------------------------------------------------------------------------


def test_a_whole_call():
    assert call("read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)") == SystemCall(
        "read",
        (Number(4), Anything(), Number(1000)),
        Number(-1),
        "EAGAIN",
        "Resource temporarily unavailable",
    )


@pytest.mark.parametrize(
    ("text", "result", "errno", "note"),
    [
        ("= 0", Number(0), None, None),
        ("= -1 EINVAL", Number(-1), "EINVAL", None),
        ("= 0x2 (flags O_RDWR)", Number(2, hexadecimal=True), None, "flags O_RDWR"),
        ("= 0x802 (flags O_RDWR|O_NONBLOCK, x (y)  z)", Number(0x802, True), None, "flags O_RDWR|O_NONBLOCK, x (y) z"),
        ("= -1 ENOTCONN()", Number(-1), "ENOTCONN", ""),
        ("= ...", Anything(), None, None),
        ("= EOF", Word("EOF"), None, None),
        ("=\n5", Number(5), None, None),
    ],
)
def test_results(text, result, errno, note):
    found = call(f"f() {text}")
    assert (found.result, found.errno, found.note) == (result, errno, note)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("f", "expected '(' behind f, found the end of the script"),
        ("f(1", "expected ',' or ')', found the end of the script"),
        ("f(1 2) = 0", "expected ',' or ')', found '2'"),
        ("f(,) = 0", "expected a value, found ','"),
        ("f()", "expected '=' and the call's result, found the end of the script"),
        ("f() =", "expected a value, found the end of the script"),
        ("f() = 0 (x", "a note begins here and never ends"),
        ("2f() = 0", "'2f' is no name of a system call"),
        ("f(2f) = 0", "expected a value, found '2f'"),
        ("f(1|) = 0", "expected a value, found ')'"),
        ("f([1) = 0", "expected ',' or ']', found ')'"),
        ("f({a=1) = 0", "expected ',' or '}', found ')'"),
        ("f({1=1}) = 0", "expected the name of a field in front of '='"),
        ("f({a=}) = 0", "expected a value, found '}'"),
        ("f((1 = 0", "expected ')', found '='"),
        ('f("x) = 0', "a string begins here and never ends"),
        ('f("\ud800") = 0', "a string holds what is no character"),
        ("f(1.1.1.1) = 0", "expected ',' or ')', found '.1'"),
        (f"f({'1' * 50}) = 0", f"expected a number, found '{'1' * 40}...'"),
        (f"f({'[' * 50}{']' * 50}) = 0", "brackets stand too deep in brackets"),
        (f"f({'a|' * 200}a) = 0", "an expression with too many operators"),
    ],
)
def test_calls_that_make_no_sense(text, reason):
    assert error(text) == reason


# -- Expressions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("...", Anything()),
        ("-5", Number(-5)),
        ("0644", Number(644)),
        ("0xDEADbeef", Number(0xDEADBEEF, hexadecimal=True)),
        ("0.5", Number(0.5)),
        ("NULL", Word("NULL")),
        ("struct linger", Word("struct linger")),
        ("sizeof(struct linger)", Call("sizeof", (Word("struct linger"),))),
        ("[]", Array(())),
        ("[1, ...]", Array((Number(1), Anything()))),
        ("[1,]", Array((Number(1),))),
        ("[ECONNRESET]", Array((Word("ECONNRESET"),))),
        ('["cubic"]', Array((Text(b"cubic"),))),
        ("htons(8080)", Call("htons", (Number(8080),))),
        ("f()", Call("f", ())),
        ("(5)", Number(5)),
        ("&name", Word("name")),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('""', b""),
        ('"a b"', b"a b"),
        (r'"\"\\\n\t\r\a\b\f\v\q"', b'"\\\n\t\r\a\b\f\vq'),
        (r'"\x41\x4g\x"', b"A\x04gx"),
        (r'"\101\0\08\1234\777"', b"A\0\x008S4\xff"),
        ('"ü\udcff// # /* `"', b"\xc3\xbc\xff// # /* `"),
    ],
)
def test_strings(text, expected):
    assert value(text) == Text(expected)
    assert value(f"{text} ...") == Text(expected, open=True)


def test_operators_bind_as_in_c():
    a, b, c = map(Word, "abc")
    assert value("a | b | c") == Operation("|", Operation("|", a, b), c)
    assert value("a|b&c") == Operation("|", a, Operation("&", b, c))
    assert value("a<<b|c>>a") == Operation("|", Operation("<<", a, b), Operation(">>", c, a))
    assert value("(a|b)&c") == Operation("&", Operation("|", a, b), c)
    assert value("a^b") == Operation("^", a, b)


def test_a_result_does_not_reach_into_the_next_event():
    for time in ("+0", "* ", "1", "+0...1"):
        assert len(parse(f"0 f() = 5\n{time} g() = 0", "x.pkt").events) == 2


# -- Structures -----------------------------------------------------------------------------------------


def n(**fields):
    return Structure(tuple((name, Number(number)) for name, number in fields.items()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Structure(())),
        ("{onoff=1, linger=0}", n(onoff=1, linger=0)),
        ("{ .tv_sec = 1, .tv_usec = 5, }", n(tv_sec=1, tv_usec=5)),
        ("{..., 1000}", Structure((("", Anything()), ("", Number(1000))))),
        ('{"ab", 2}', Structure((("", Text(b"ab")), ("", Number(2))))),
        (
            "{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}",
            Structure(
                (
                    ("fd", Number(4)),
                    ("events", Operation("|", Word("POLLIN"), Word("POLLOUT"))),
                    ("revents", Word("POLLIN")),
                )
            ),
        ),
        (
            '{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")}',
            Structure(
                (
                    ("sa_family", Word("AF_INET")),
                    ("sin_port", Call("htons", (Number(8080),))),
                    ("sin_addr", Call("inet_addr", (Text(b"192.168.0.1"),))),
                )
            ),
        ),
        (
            '{sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::1", &sin6_addr)}',
            Structure(
                (
                    ("sa_family", Word("AF_INET6")),
                    ("sin6_port", Call("htons", (Number(80),))),
                    ("", Call("inet_pton", (Word("AF_INET6"), Text(b"::1"), Word("sin6_addr")))),
                )
            ),
        ),
        (
            'inet_pton(AF_INET6, "::1", &...)',
            Call("inet_pton", (Word("AF_INET6"), Text(b"::1"), Anything())),
        ),
        (
            '{function_set_name="freebsd", pcbcnt=0}',
            Structure((("function_set_name", Text(b"freebsd")), ("pcbcnt", Number(0)))),
        ),
    ],
)
def test_structures(text, expected):
    assert value(text) == expected


def test_a_message_header():
    text = """{msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=MSG_EOR,
        msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data={scm_sec=0, scm_nsec=5}}]}"""
    control = Structure(
        (("cmsg_level", Word("SOL_TCP")), ("cmsg_type", Word("TCP_CM_INQ")), ("cmsg_data", n(scm_sec=0, scm_nsec=5)))
    )
    assert value(text) == Structure(
        (
            ("msg_name", Anything()),
            ("msg_iov", Array((Structure((("", Anything()), ("", Number(1000)))),))),
            ("msg_flags", Word("MSG_EOR")),
            ("msg_control", Array((control,))),
        ),
        sizes=(("msg_name", Anything()), ("msg_iov", Number(1))),
    )
