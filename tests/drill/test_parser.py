"""Options, times and events; what cannot be read, and where."""

import pytest

from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.parser import parse
from usertcp.drill.script import Code, Command, Number, Operation, SystemCall, Text, Time, TimeKind, Word


def events(text, **kwargs):
    return parse(text, "x.pkt", **kwargs).events


def only(text, **kwargs):
    (event,) = events(text, **kwargs)
    return event


def error(text, **kwargs):
    with pytest.raises(ScriptError) as caught:
        parse(text, "x.pkt", **kwargs)
    assert "\n" not in caught.value.reason
    return caught.value.line, caught.value.reason


# -- Times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "kind", "start", "end"),
    [
        ("0", TimeKind.ABSOLUTE, 0, 0),
        ("0.25", TimeKind.ABSOLUTE, 0.25, 0),
        (".25", TimeKind.ABSOLUTE, 0.25, 0),
        ("007.5", TimeKind.ABSOLUTE, 7.5, 0),
        ("+0", TimeKind.RELATIVE, 0, 0),
        ("+.1", TimeKind.RELATIVE, 0.1, 0),
        ("+ 0.100000", TimeKind.RELATIVE, 0.1, 0),
        ("*", TimeKind.ANY, 0, 0),
        ("0.1~0.2", TimeKind.ABSOLUTE_RANGE, 0.1, 0.2),
        ("+0.1~+0.2", TimeKind.RELATIVE_RANGE, 0.1, 0.2),
        ("+0~0.2", TimeKind.RELATIVE_RANGE, 0, 0.2),
        ("+0 ~ +.2", TimeKind.RELATIVE_RANGE, 0, 0.2),
    ],
)
def test_times(spelling, kind, start, end):
    assert only(f"{spelling} > . 1:1(0)").time == Time(kind, start, end)


@pytest.mark.parametrize(
    "spelling", ["-1", "+-1", "0x10", "x", "0.1~", "0.2~0.1", "+0.2~+0.1", "~1", "+", "+*", "0.1~+0.2"]
)
def test_what_is_no_time(spelling):
    line, reason = error(f"\n{spelling} > . 1:1(0)")
    assert line == 2
    assert "time" in reason


@pytest.mark.parametrize(
    ("spelling", "start", "end"),
    [("+0...0.200", 0, 0.2), ("+.1...0.2", 0.1, 0.2), ("+0....5", 0, 0.5), ("+0 ... +1", 0, 1), ("1...1", 1, 1)],
)
def test_a_call_may_have_an_end(spelling, start, end):
    event = only(f"{spelling} close(3) = 0")
    assert event.time.start == start
    assert event.action.end == end


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("+1...0.5 close(3) = 0", "this call ends before it begins"),
        ("+0...0.5 > . 1:1(0)", "expected a system call, found '>'"),
        ("+0...0.5 `ls`", "expected a system call, found '`ls`'"),
        ("*...0.5 close(3) = 0", "expected an action, found '...'"),
        ("+0...x close(3) = 0", "expected a time in seconds, found 'x'"),
    ],
)
def test_an_end_that_makes_no_sense(text, reason):
    assert error(text) == (1, reason)


# -- Events, comments, lines ----------------------------------------------------------------------------


def test_events_know_their_lines_and_comments_are_nothing():
    text = (
        "\ufeff#!/usr/bin/env packetdrill\n"
        "// one /* two\n"
        "/* three\n `no command`\n*/ 0 close(3) = 0 // +0 close(4) = 0\n"
        "+0 > S 0:0(0) # 'Grüße' \udcff\n"
        "   win 5 /* x */ <mss 1,nop>\r\n"
        "+0 `two\nlines` +1 %{\nassert True\n}%\r"
        "+0 close(5) = 0"
    )
    found = events(text)
    assert [event.line for event in found] == [5, 6, 8, 9, 12]
    assert found[1].action.packet.window == 5
    assert found[2].action == Command("two\nlines", 8)
    assert found[3].action == Code("\nassert True\n", 9)
    assert found[4].action == SystemCall("close", (Number(5),), Number(0))


@pytest.mark.parametrize("text", ["", "\n", "// x", "/* x */", "# x", "\r\n\r\n", "--debug"])
def test_a_script_may_do_nothing(text):
    assert events(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n\n+0 close(3) = 0\nclose(4) = 0", (4, "expected a time in seconds, found 'close'")),
        ("+0", (1, "expected a packet, a system call, a command or code, found the end of the script")),
        ("+0 close(3) = 0 }", (1, "expected a time in seconds, found '}'")),
        ("`one`\n+0 close(3) = 0\n\n`two`", (4, "expected a time in seconds, found '`two`'")),
        ("+0 close(3) = 0\n--debug", (2, "expected a time in seconds, found '--'")),
        ("\n+0 `ls\n\n", (2, "a command begins here and never ends")),
        ("\n+0 %{ x\n\n", (2, "code begins here and never ends")),
        ("\n/* x\n\n", (2, "a comment begins here and never ends")),
        ('\n+0 open("x\n") = 0', (2, "a string begins here and never ends")),
        ("\n+0 > S é", (2, "expected a sequence number, found 'é'")),
        ("+0 \x1b[2J", (1, "expected a packet, a system call, a command or code, found '\\x1b'")),
        ("+0 " + "x" * 100, (1, f"expected '(' behind {'x' * 40}, found the end of the script")),
        ("x" * 100, (1, f"expected a time in seconds, found '{'x' * 40}...'")),
    ],
)
def test_errors_say_where_and_what_was_expected(text, expected):
    assert error(text) == expected


# -- Options --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("--tolerance_usecs=10000", ("tolerance_usecs", "10000")),
        ("--tolerance_usecs = 10000 // why", ("tolerance_usecs", "10000")),
        ("--tolerance_usecs 10000", ("tolerance_usecs", "10000")),
        ("--ip_version=ipv4-mapped-ipv6# why", ("ip_version", "ipv4-mapped-ipv6")),
        ("--local_ip=fd3d:0a0b:17d6::1", ("local_ip", "fd3d:0a0b:17d6::1")),
        ("--netmask_ip=255.255.0.0", ("netmask_ip", "255.255.0.0")),
        ("--send_omit_free", ("send_omit_free", "")),
        ("--send_omit_free\t// why", ("send_omit_free", "")),
        ("--init_scripts=", ("init_scripts", "")),
        ('--init_scripts="a b"', ("init_scripts", "a b")),
        ("--init_scripts='a b'", ("init_scripts", "a b")),
        ("--define=A=B", ("define", "A=B")),
        ('--define=A="x y"', ("define", 'A="x y"')),
        ("-D A=B", ("define", "A=B")),
        ("-DA=B", ("define", "A=B")),
    ],
)
def test_options(line, option):
    script = parse(f"// first\n{line}\n--mtu=1520\n+0 close(3) = 0", "x.pkt")
    assert script.options == (option, ("mtu", "1520"))
    assert script.option_lines == (2, 3)
    assert len(script.events) == 1


def test_commands_before_the_first_event():
    script = parse("`a`\n--mtu=1500\n`b\nc`\n0 close(3) = 0\n+0 `d`", "x.pkt")
    assert script.init == (Command("a", 1), Command("b\nc", 3))
    assert script.options == (("mtu", "1500"),)
    assert len(script.events) == 2
    flag = parse("--debug `a`", "x.pkt")
    assert (flag.options, flag.init) == ((("debug", ""),), (Command("a", 1),))


# -- Definitions ----------------------------------------------------------------------------------------


def test_definitions_stand_for_words():
    text = (
        '--define=N=3\n--define=S="a N"\n+0 write(N, S, M) = 3 (N)\n+0 `N`\n+0 %{ N }%\n/* N */ // N\n+0 f("N", NN) = N'
    )
    found = events(text, defines={"M": "N", "Z": "1"})
    assert found[0].action.arguments == (Number(3), Text(b"a N"), Word("N"))
    assert found[1].action == Command("N", 4)
    assert found[2].action == Code(" N ", 5)
    assert found[3].action.arguments == (Text(b"N"), Word("NN"))
    assert found[3].action.result == Number(3)
    assert found[3].line == 7


def test_definitions_may_be_several_tokens_and_those_from_outside_win():
    text = "--define=FLAGS=O_RDWR|O_EXCL\n--define=X='3, 4'\n-D COOKIE=0102030405060708\n"
    text += "+0 > S 0:0(0) <FO COOKIE>\n+0 f(FLAGS, X) = 0"
    found = events(text, defines={"COOKIE": "ff00"})
    assert found[0].action.packet.options[0].data == b"\xff\0"
    assert found[1].action.arguments == (Operation("|", Word("O_RDWR"), Word("O_EXCL")), Number(3), Number(4))
    assert events(text)[0].action.packet.options[0].data == bytes(range(1, 9))


def test_a_definition_moves_no_line():
    found = events("+0 f(A,\nA) = 0\n+0 close(3) = 0", defines={"A": "1,\n\n2"})
    assert found[0].action.arguments == tuple(map(Number, (1, 2, 1, 2)))
    assert found[1].line == 3


def test_definitions_cannot_make_a_script_grow_without_bound():
    line, reason = error("--define=A=" + "b" * 20_000 + "\n" + "A " * 20_000)
    assert (line, reason) == (2, "the definitions make this script too long")


@pytest.mark.parametrize("option", ["--define=A", "--define", "--define=A-B=1", "--define==1"])
def test_a_definition_has_a_name_and_a_value(option):
    assert error(f"\n{option}\n") == (2, "expected --define=NAME=VALUE")


# -- Hostile texts: bounded, and quick (each would take minutes if it were not linear) ------------------

N = 1_000_000
HOSTILE = [
    "+0 f(" + "[" * N,
    "+0 f(" + "a(" * (N // 2),
    "+0 f(" + "{a=" * (N // 3),
    "+0 f(" + "&" * N,
    "+0 f(" + "a|" * (N // 2) + "a) = 0",
    "+0 f(" + '"' * N,
    '+0 f("' + "\\" * N,
    "+0 f() = 0 (" + "()" * (N // 2),
    "0" * N,
    "a" * N,
    "/*" * (N // 2) + " ",
    "/* " * (N // 3),
    "%{" * (N // 2),
    "`" * (N + 1),
    "--a=" + '"' * (N + 1),
    "--define=A=b\n" + "/* " * (N // 3),
    "--define=A=b\n" + "+0 " + '"' * (N + 1),
    "+0 < ipv6 " + ":" * N,
    "+0 < " + "gre: " * (N // 5),
    "+0 < mpls (" + "tc 1, " * (N // 6),
    "+0 < . 1:1(0) <0xfe " + "0x00 " * (N // 5) + ">",
    "+0 < " + "S" * N + " 1:1(0)",
    "+0 < . 1:1(0) {" + "a " * (N // 2),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_script_is_an_error(text):
    with pytest.raises((ScriptError, Unsupported)) as caught:
        parse(text, "x.pkt")
    assert len(caught.value.reason) < 200
