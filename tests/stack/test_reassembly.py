import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack.counters import Counters
from usertcp.stack.reassembly import OVERHEAD, Datagram, Expired, Reassembler
from usertcp.wire import ipv4, ipv6
from usertcp.wire.codepoint import CE, ECT_0

PAIRS = {4: (b"\xc0\0\2\1", b"\xc0\0\2\2"), 6: (bytes(range(16)), bytes(range(16, 32)))}
DATA = bytes(range(100))


class Receiver:
    """A reassembler that is told what arrives, all of it from one peer."""

    def __init__(self, family: int = 4, **limits: float) -> None:
        self.pair = PAIRS[family]
        self.counters = Counters()
        self.reassembler = Reassembler(self.counters.count, **limits)  # type: ignore[arg-type]

    def fragment(
        self,
        offset: int,
        end: int,
        more: bool = True,
        *,
        ident: int = 1,
        protocol: int = 6,
        now: float = 0.0,
        data: bytes = DATA,
        ecn: int = 0,
    ) -> Datagram | None:
        view = memoryview(data)[offset:end]
        return self.reassembler.add(*self.pair, protocol, ident, offset, more, view, now, ecn)

    def counted(self) -> dict[str, int]:
        return {
            name: number
            for name, number in self.counters.snapshot().items()
            if number and name != "fragments-received"
        }


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    return Receiver(request.param)


def test_in_order(receiver: Receiver) -> None:
    assert receiver.fragment(0, 40) is None
    assert receiver.fragment(40, 80) is None
    assert receiver.fragment(80, 100, False) == Datagram(6, DATA)
    assert receiver.counted() == {"datagrams-reassembled": 1}
    assert receiver.reassembler.deadline() == math.inf


def test_a_congestion_mark_on_one_fragment_is_a_mark_on_the_datagram(receiver: Receiver) -> None:
    """RFC 3168 §5.3: "must not lose" it."""
    assert receiver.fragment(0, 40, ecn=ECT_0) is None
    assert receiver.fragment(40, 80, ecn=CE) is None
    assert receiver.fragment(80, 100, False, ecn=ECT_0) == Datagram(6, DATA, CE)


@pytest.mark.parametrize("ecns", [(0, CE, ECT_0), (ECT_0, 0, CE), (CE, ECT_0, 0)])
def test_a_mark_beside_a_fragment_that_is_not_capable_gives_the_datagram_up(
    receiver: Receiver, ecns: tuple[int, int, int]
) -> None:
    """RFC 3168 §5.3: it must not be marked then, and the mark must not be lost: it is dropped."""
    assert receiver.fragment(0, 40, ecn=ecns[0]) is None
    assert receiver.fragment(40, 80, ecn=ecns[1]) is None
    assert receiver.fragment(80, 100, False, ecn=ecns[2]) is None
    assert receiver.counted() == {"fragment-ecn-mixed": 1}
    assert receiver.fragment(0, 40, ident=2) is None
    assert receiver.fragment(40, 100, False, ident=2, ecn=ECT_0) == Datagram(6, DATA, ECT_0)


def test_backwards(receiver: Receiver) -> None:
    assert receiver.fragment(80, 100, False) is None
    assert receiver.fragment(40, 80) is None
    assert receiver.fragment(0, 40) == Datagram(6, DATA)


def test_interleaved_datagrams(receiver: Receiver) -> None:
    other = DATA[::-1]
    assert receiver.fragment(0, 48, ident=1) is None
    assert receiver.fragment(0, 48, ident=2, data=other) is None
    assert receiver.fragment(48, 100, False, ident=2, data=other) == Datagram(6, other)
    assert receiver.fragment(48, 100, False, ident=1) == Datagram(6, DATA)


def test_the_buffer_of_a_fragment_may_be_reused(receiver: Receiver) -> None:
    buffer = bytearray(DATA[:40])
    receiver.reassembler.add(*receiver.pair, 6, 1, 0, True, memoryview(buffer), 0.0)
    buffer[:] = bytes(40)
    assert receiver.fragment(40, 100, False) == Datagram(6, DATA)


def test_protocol_is_part_of_the_name_in_ipv4_only() -> None:
    ipv4_receiver = Receiver(4)
    assert ipv4_receiver.fragment(40, 100, False, protocol=17) is None
    assert ipv4_receiver.fragment(0, 40, protocol=6) is None
    # RFC 8200 §4.5: the first fragment's next header counts
    ipv6_receiver = Receiver(6)
    assert ipv6_receiver.fragment(40, 100, False, protocol=17) is None
    assert ipv6_receiver.fragment(0, 40, protocol=60) == Datagram(60, DATA)


def test_exact_duplicates_are_ignored(receiver: Receiver) -> None:
    for _ in range(2):
        assert receiver.fragment(80, 100, False) is None
        assert receiver.fragment(0, 40) is None
    assert receiver.fragment(40, 80) == Datagram(6, DATA)
    assert receiver.counted() == {"fragment-duplicate": 2, "datagrams-reassembled": 1}


@pytest.mark.parametrize(("offset", "end"), [(32, 48), (40, 56), (48, 56), (48, 80), (32, 88), (72, 88)])
def test_overlap_discards_the_datagram_and_what_is_still_to_come(
    receiver: Receiver, offset: int, end: int
) -> None:
    assert receiver.fragment(40, 80) is None
    assert receiver.fragment(offset, end) is None
    assert receiver.fragment(0, 40) is None
    assert receiver.fragment(40, 80) is None
    assert receiver.fragment(80, 100, False) is None
    assert receiver.counted() == {"fragment-overlap": 1, "fragment-of-given-up": 3}
    # RFC 8200 §4.5: no ICMP error for these
    assert receiver.reassembler.expire(60.0) == []
    assert receiver.reassembler.deadline() == math.inf


def test_same_place_with_other_content_is_an_overlap(receiver: Receiver) -> None:
    assert receiver.fragment(0, 40) is None
    assert receiver.fragment(0, 40, data=DATA[::-1]) is None
    assert receiver.counted() == {"fragment-overlap": 1}


@pytest.mark.parametrize(
    "fragments",
    [
        [(8, 40, False), (40, 80, True)],
        [(40, 80, True), (8, 40, False)],
        [(48, 56, False), (64, 72, False)],
        [(64, 72, False), (48, 56, False)],
    ],
)
def test_contradictory_ends(receiver: Receiver, fragments: list[tuple[int, int, bool]]) -> None:
    for fragment in fragments:
        assert receiver.fragment(*fragment) is None
    assert receiver.counted() == {"fragment-contradictory-end": 1}


def test_a_last_fragment_that_came_as_a_middle_one(receiver: Receiver) -> None:
    assert receiver.fragment(40, 80) is None
    assert receiver.fragment(40, 80, False) is None
    assert receiver.counted() == {"fragment-overlap": 1}


def test_fragments_that_are_wrong_by_themselves(receiver: Receiver) -> None:
    assert receiver.fragment(8, 8) is None
    assert receiver.fragment(8, 8, False) is None
    assert receiver.fragment(0, 0, True) is None
    assert receiver.counted() == {"fragment-empty": 3}
    assert receiver.fragment(8, 20) is None
    assert receiver.counted() == {"fragment-empty": 3, "fragment-length": 1}
    assert receiver.reassembler.deadline() == math.inf


@pytest.mark.parametrize(("family", "largest"), [(4, 65515), (6, 65535)])
def test_too_big(family: int, largest: int) -> None:
    receiver = Receiver(family)
    data = bytes(70000)
    assert receiver.fragment(65504, largest + 1, False, data=data) is None
    assert receiver.counted() == {"fragment-too-big": 1}
    assert receiver.fragment(65504, largest, False, data=data) is None
    assert receiver.fragment(0, 65504, data=data) == Datagram(6, bytes(largest))


def test_atomic_fragments_go_by_themselves() -> None:
    receiver = Receiver(6)
    assert receiver.fragment(0, 40) is None
    assert receiver.fragment(0, 3, False) == Datagram(6, DATA[:3])
    assert receiver.fragment(40, 100, False) == Datagram(6, DATA)


def test_timeout_counts_from_the_first_that_arrived(receiver: Receiver) -> None:
    receiver.fragment(40, 80, now=100.0)
    receiver.fragment(0, 40, now=150.0)
    assert receiver.reassembler.deadline() == 160.0
    assert receiver.reassembler.expire(159.9) == []
    (expired,) = receiver.reassembler.expire(160.0)
    assert (expired.src, expired.dst) == receiver.pair
    assert receiver.counted() == {"fragment-timeout": 1}
    assert receiver.reassembler.deadline() == math.inf
    assert receiver.fragment(80, 100, False, now=161.0) is None


def test_without_the_first_fragment_there_is_nothing_to_quote(receiver: Receiver) -> None:
    receiver.fragment(40, 80)
    assert receiver.reassembler.expire(60.0) == []
    assert receiver.counted() == {"fragment-timeout": 1}


@pytest.mark.parametrize("size", [40, 2000, 65512])
def test_what_an_expired_datagram_quotes(size: int) -> None:
    data = bytes(size)
    for family, most in ((4, 548), (6, 1232)):
        receiver = Receiver(family)
        receiver.fragment(0, size, data=data, ident=7)
        (expired,) = receiver.reassembler.expire(60.0)
        assert isinstance(expired, Expired)
        assert len(expired.quoted) == min(size + (20 if family == 4 else 48), most)
        if size == 40:
            parsed = ipv4.parse(expired.quoted) if family == 4 else ipv6.parse(expired.quoted)
            assert isinstance(parsed, ipv4.Header | ipv6.Header)
            assert (parsed.src, parsed.dst) == receiver.pair


def test_number_of_datagrams_is_bounded(receiver: Receiver) -> None:
    receiver = Receiver(max_datagrams=2)
    for ident in (1, 2, 3):
        receiver.fragment(0, 40, ident=ident)
    assert receiver.counted() == {"fragment-evicted": 1}
    assert receiver.fragment(40, 100, False, ident=3) == Datagram(6, DATA)
    assert receiver.fragment(40, 100, False, ident=2) == Datagram(6, DATA)
    assert receiver.fragment(40, 100, False, ident=1) is None


def test_memory_is_bounded() -> None:
    receiver = Receiver(max_bytes=2 * (2 * OVERHEAD + 40))
    for ident in (1, 2, 3):
        receiver.fragment(0, 40, ident=ident)
    assert receiver.counted() == {"fragment-evicted": 1}
    assert receiver.fragment(40, 100, False, ident=1) is None


def test_tiny_fragments_count_their_overhead() -> None:
    receiver = Receiver(max_bytes=10_000)
    for at in range(0, 8000, 16):
        receiver.fragment(at, at + 8, data=bytes(8000))
    assert receiver.counters["fragment-evicted"] >= 10


def test_memory_is_given_back(receiver: Receiver) -> None:
    """Each way out of the reassembler frees what the fragment took, or this would evict at last."""
    receiver = Receiver(max_bytes=3 * (OVERHEAD + 100))
    for ident in range(50):
        now = ident * 100.0
        receiver.fragment(0, 40, ident=ident, now=now)
        receiver.fragment(40, 100, False, ident=ident, now=now)
        receiver.fragment(0, 40, ident=ident, now=now)
        receiver.fragment(8, 16, ident=ident, now=now)
        receiver.reassembler.expire(now + 60)
        receiver.fragment(0, 40, ident=ident, now=now + 60)
        receiver.reassembler.expire(now + 120)
    assert receiver.counted() == {
        "datagrams-reassembled": 50,
        "fragment-overlap": 50,
        "fragment-timeout": 50,
    }


@given(st.data(), st.sampled_from([4, 6]))
def test_any_cut_in_any_order_with_duplicates(data: st.DataObject, family: int) -> None:
    payload = data.draw(st.binary(min_size=9, max_size=200))
    units = (len(payload) - 1) // 8
    cuts = sorted(data.draw(st.sets(st.integers(1, units), min_size=1)))
    edges = [0, *(8 * cut for cut in cuts), len(payload)]
    pieces = [(start, end, end != len(payload)) for start, end in pairwise(edges)]
    duplicated = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    order = data.draw(st.permutations(pieces + duplicated))
    receiver = Receiver(family)
    results = [receiver.fragment(*piece, data=payload) for piece in order]
    whole = [result for result in results if result is not None]
    assert whole[0] == Datagram(6, payload)


fragments_of_anything = st.tuples(
    st.integers(0, 20).map(lambda unit: unit * 8), st.integers(0, 40), st.booleans(), st.integers(0, 2)
)


@given(st.lists(fragments_of_anything, max_size=40))
def test_never_raises_and_never_leaks(fragments: list[tuple[int, int, bool, int]]) -> None:
    receiver = Receiver(max_bytes=2000, max_datagrams=2)
    for now, (offset, size, more, ident) in enumerate(fragments):
        receiver.fragment(offset, offset + size, more, ident=ident, now=float(now), data=bytes(300))
    receiver.reassembler.expire(1000.0)
    assert receiver.reassembler.deadline() == math.inf
    assert receiver.reassembler._bytes == 0
