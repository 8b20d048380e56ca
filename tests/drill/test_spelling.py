"""A script's values as text, which is read to the same values again; and any text is a script or a named error."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.parser import parse
from usertcp.drill.script import (
    Anything,
    Array,
    Call,
    Code,
    Command,
    Event,
    IcmpPacket,
    IpInfo,
    Number,
    Operation,
    OuterHeader,
    PacketEvent,
    Script,
    Sequence,
    Structure,
    SystemCall,
    TcpOption,
    TcpPacket,
    Text,
    Time,
    TimeKind,
    UdpPacket,
    Word,
)
from usertcp.drill.spelling import spell, spell_expression, spell_packet

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)
names = st.text(string.ascii_letters + "_", min_size=1, max_size=8).filter(lambda name: name not in ("struct", "mtu"))
seconds = st.integers(0, 10**12).map(lambda n: n / 10**6)


def maybe(strategy):
    return st.none() | strategy


# -- Times ----------------------------------------------------------------------------------------------

ranges = st.tuples(seconds, seconds).map(sorted)
times = st.one_of(
    st.just(Time(TimeKind.ANY)),
    st.builds(Time, st.sampled_from([TimeKind.ABSOLUTE, TimeKind.RELATIVE]), seconds),
    st.builds(
        lambda kind, both: Time(kind, *both),
        st.sampled_from([TimeKind.ABSOLUTE_RANGE, TimeKind.RELATIVE_RANGE]),
        ranges,
    ),
)

# -- Packets --------------------------------------------------------------------------------------------

sequences = st.builds(
    lambda start, length, absolute: Sequence(start, (start + length) % 2**32, length, absolute),
    u32,
    u16,
    st.booleans(),
)
options = st.one_of(
    st.sampled_from([TcpOption(kind) for kind in ("nop", "eol", "sackOK", "mss", "wscale", "FO", "FOEXP", "md5")]),
    st.builds(lambda n: TcpOption("mss", (n,)), u16),
    st.builds(lambda n: TcpOption("wscale", (n,)), u8),
    st.builds(lambda edges: TcpOption("sack", tuple(sum(edges, ()))), st.lists(st.tuples(u32, u32), max_size=4)),
    st.builds(lambda both: TcpOption("TS", both), st.tuples(u32, u32)),
    st.builds(
        lambda kind, data: TcpOption(kind, data=data),
        st.sampled_from(["FO", "FOEXP", "md5"]),
        st.binary(min_size=1, max_size=16),
    ),
    st.builds(
        lambda counters, kind: TcpOption("AccECN", tuple(counters), kind_number=kind if counters else 174),
        st.lists(st.integers(0, 2**24 - 1), max_size=3),
        st.sampled_from([172, 174]),
    ),
    st.builds(lambda kind, data: TcpOption("unknown", data=data, kind_number=kind), u8, st.binary(max_size=30)),
)
infos = st.builds(
    IpInfo,
    ecn=maybe(st.sampled_from(["noecn", "ect0", "ect1", "ect01", "ce"])),
    ttl=maybe(u8),
    tos=maybe(u8),
    flow_label=maybe(st.integers(0, 2**20 - 1)),
)
outers = st.lists(
    st.one_of(
        st.builds(lambda a, b: OuterHeader("ipv4", str(a), str(b)), st.ip_addresses(v=4), st.ip_addresses(v=4)),
        st.builds(lambda a, b: OuterHeader("ipv6", str(a), str(b)), st.ip_addresses(v=6), st.ip_addresses(v=6)),
        st.builds(lambda key: OuterHeader("gre", fields=(("key", key),)), u32),
        st.just(OuterHeader("gre")),
        st.builds(
            lambda label, bottom: OuterHeader("mpls", fields=(("label", label), *([("s", 1)] if bottom else []))),
            st.integers(0, 2**20 - 1),
            st.booleans(),
        ),
        st.builds(lambda a, b: OuterHeader("udp", fields=(("sport", a), ("dport", b))), u16, u16),
    ),
    max_size=3,
).map(tuple)
ports = maybe(st.tuples(u16, u16))
flags = st.one_of(
    st.tuples(st.frozensets(st.sampled_from("FSRPUEWA.")), st.none()),
    st.tuples(st.frozensets(st.sampled_from("FSRPU.")), st.integers(0, 7)),
)
segments = st.builds(
    lambda flags, ack, **rest: TcpPacket(flags=flags[0], ace=flags[1], ack=ack[0], ack_absolute=ack[1], **rest),
    flags=flags,
    ack=st.just((None, False)) | st.tuples(u32, st.booleans()),
    sequence=sequences,
    window=maybe(u16),
    urgent=maybe(u16),
    options=maybe(st.lists(options, max_size=5).map(tuple)),
    ip=infos,
    outer=outers,
    ports=ports,
    mutations=st.sampled_from(["", "rep tcp seq_num 0x1"]),
)
datagrams = st.builds(UdpPacket, u16, infos, outers, ports)
messages = st.builds(
    lambda echoed, **rest: IcmpPacket(echoed_tcp=echoed[0], echoed_udp=echoed[1], **rest),
    type=names | u8.map(str),
    code=maybe(names | u8.map(str)),
    mtu=maybe(u32),
    echoed=st.just((None, None)) | st.tuples(sequences, st.none()) | st.tuples(st.none(), u16),
    ip=infos,
    outer=outers,
)
packets = segments | datagrams | messages

# -- Expressions ----------------------------------------------------------------------------------------

atoms = st.one_of(
    st.just(Anything()),
    st.builds(Number, st.integers(-(2**64), 2**64)),
    st.builds(Number, st.integers(0, 2**64), st.just(True)),
    st.builds(Number, st.integers(-(10**12), 10**12).map(lambda n: n / 10**6)),
    st.builds(Word, names | names.map("struct {}".format)),
    st.builds(Text, st.binary(max_size=10), st.booleans()),
)


OPERATORS = st.sampled_from(["|", "^", "&", "<<", ">>"])


@st.composite
def compound(draw, inner):
    items = tuple(draw(st.lists(inner, max_size=3)))
    kind = draw(st.sampled_from([Array, Call, Operation, Structure]))
    if kind is Array:
        return Array(items)
    if kind is Call:
        return Call(draw(names), items)
    if kind is Operation:
        return Operation(draw(OPERATORS), draw(inner), draw(inner))
    keys = draw(st.lists(names | st.just(""), min_size=len(items), max_size=len(items), unique=True))
    sizes = [(key, draw(inner)) for key in keys if key and draw(st.booleans())]
    return Structure(tuple(zip(keys, items, strict=True)), tuple(sizes))


def ends_in_no_word(expression):
    return not spell_expression(expression).endswith(tuple(string.ascii_letters + "_"))


expressions = st.recursive(atoms, compound, max_leaves=12)
notes = st.text(string.ascii_letters + " |.,;'", max_size=20).map(lambda note: " ".join(note.split()))
calls = st.builds(
    lambda result, **rest: SystemCall(result=result[0], errno=result[1], note=result[2], **rest),
    name=names,
    arguments=st.lists(expressions, max_size=4).map(tuple),
    # A note right behind a word would be a call's arguments.
    result=st.tuples(expressions, names, maybe(notes))
    | st.tuples(expressions.filter(ends_in_no_word), st.none(), maybe(notes)),
)
prose = st.text(st.characters(exclude_characters="`\r", exclude_categories=["Cs"]), max_size=20)
actions = st.one_of(
    st.builds(PacketEvent, st.booleans(), packets),
    calls,
    st.builds(Command, prose, st.just(1)),
    st.builds(Code, prose.filter(lambda text: "}%" not in text), st.just(1)),
)


@st.composite
def events(draw):
    time, action = draw(times), draw(actions)
    if isinstance(action, SystemCall) and time.kind is not TimeKind.ANY:
        action = replace(action, end=draw(maybe(seconds.map(lambda longer: time.start + longer))))
    return Event(time, action, 1)


# -- The round trip -------------------------------------------------------------------------------------


@given(events())
def test_what_is_spelled_is_read_again(event):
    assert parse(spell(event), "x.pkt").events == (event,)


@given(st.lists(events(), max_size=5))
def test_one_event_does_not_reach_into_the_next(several):
    text = "\n".join(map(spell, several))
    found = parse(text, "x.pkt").events
    assert [spell(event) for event in found] == [spell(event) for event in several]


@pytest.mark.parametrize(
    "line",
    [
        "+0.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>",
        "+0.1...0.2 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)",
        "* > [ect0, ttl 64, tos 0x20, flowlabel 0x1] 80 > 1234 FP.5 1:1(0) ack @7 win 0 urg 1 <...> {mut tcp mss}",
        "0.000001~0.00002 > - @1:3(2)",
        "+0~+1 < ipv4 1.1.1.1 > 2.2.2.2: gre: icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
        "+0 < udp (100)",
        "+0 `sysctl -q net.ipv4.tcp_sack=1`",
        "+0 %{ assert tcpi_cwnd == 10 }%",
        '+0 f(A|B&C, (A|B)&C, "a\\n\\x00"..., {msg_iov(1)=[{..., 5}], x=0x10}, 0.5) = 0x2 (flags O_RDWR)',
        "+0 > . 1:1(0) <nop,sack 1:2 3:4,FO 0102,0xfd 0xf989,ECN e1b 1 ceb 2 e0b 3>",
    ],
)
def test_canonical_text_stays_as_it_is(line):
    (event,) = parse(line, "x.pkt").events
    assert spell(event) == line


def test_a_part_can_be_spelled():
    assert spell_packet(UdpPacket(5)) == "udp (5)"
    assert spell_expression(Array((Number(5), Word("A")))) == "[5, A]"


# -- Any text -------------------------------------------------------------------------------------------

SIGNS = '+ * 0 1 -1 0.1 . .. ... < > ( ) [ ] { } , : = | & ~ @ ! / // /* */ # ` %{ }% " \\ \n \r - -- --a=b'
WORDS = """S S. P. 1:1(0) 1:11(10) ack win urg udp icmp ipv4 ipv6 gre mpls mtu 1.1.1.1 ::1 ect0 ttl mss nop eol sackOK
    sack TS val ecr FO ECN e0b 0xfe f(3) = close struct --define=S=1 é"""
PIECES = [*SIGNS.split(" "), *WORDS.split(), "\0", "\ud800", "<mss 1,", "+0 < ", "+0 f("]


@given(
    st.text()
    | st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)
def test_any_text_is_a_script_or_a_named_error(text):
    problem = problem_of(text)
    if problem is not None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        assert 1 <= problem.line <= lines
        assert problem.reason
        assert "\n" not in problem.reason


def problem_of(text):
    try:
        assert isinstance(parse(text, "x.pkt"), Script)
    except (ScriptError, Unsupported) as problem:
        return problem
    return None


SCRIPT = """--tolerance_usecs=1000
`ls`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...1 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}, ...) = -1 EINPROGRESS (x)
+.1~+.2 > [ect0] SEW 0:0(0) win 5 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7> // comment
* < S. 0:0(0) ack 1 <FO 0102030405060708>
+0 %{ assert True }%
+0 < ipv6 ::1 > ::2: [1:2(1)] icmp unreachable mtu 5
"""


@given(st.integers(0, len(SCRIPT)), st.integers(0, 20), st.sampled_from(PIECES))
def test_a_damaged_script_is_a_script_or_a_named_error(at, dropped, put_in):
    text = SCRIPT[:at] + put_in + SCRIPT[at + dropped :]
    problem = problem_of(text)
    assert problem is None or 1 <= problem.line <= text.count("\n") + 1
