"""The retransmission queue and scoreboard, against what is known of each sequence number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.retransmission import Delivery, Record, RetransmissionQueue

MSS = 10
FIRST = (1 << 32) - 40


class Model:
    """One entry for each sequence number that is outstanding: lost, sacked, or in the network."""

    def __init__(self) -> None:
        self.una = self.nxt = FIRST
        self.lost: set[int] = set()
        self.sacked: set[int] = set()

    def outstanding(self) -> set[int]:
        return set(range(self.una, self.nxt))


def check(queue: RetransmissionQueue, model: Model) -> None:
    at = model.una
    lost, sacked, in_network = set[int](), set[int](), []
    for record in queue:
        assert record.seq == at < record.end, "records follow one another"
        at = record.end
        numbers = set(range(record.seq, record.end))
        assert not (record.lost and record.sacked)
        if record.lost:
            lost |= numbers
        elif record.sacked:
            sacked |= numbers
        else:
            in_network.append(record)
    assert at == model.nxt
    assert lost == model.lost
    assert sacked == model.sacked
    assert (queue.lost, queue.sacked) == (len(lost), len(sacked))
    assert bool(queue) == (model.una < model.nxt)
    # By the time of their last sending, each once, and neither lost nor held.
    chain, record = [], queue.oldest
    while record is not None:
        chain.append(record)
        record = record.newer
    assert sorted(map(id, chain)) == sorted(map(id, in_network))
    assert [one.sent_at for one in chain] == sorted(one.sent_at for one in chain)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["send", "send", "send", "ack", "sack", "sack", "front", "all", "resend", "resend", "forget", "forgive",
             "tail"]
        ),
        st.integers(0, 200),
        st.integers(1, 60),
    ),
    max_size=40,
)  # fmt: skip


@given(OPERATIONS)
def test_the_queue_knows_what_is_where(operations: list[tuple[str, int, int]]) -> None:
    queue, model, now = RetransmissionQueue(), Model(), 0.0
    for name, at, length in operations:
        now += 1
        if name == "send":
            queue.add(Record(model.nxt, model.nxt + length, now))
            model.nxt += length
        elif not queue:
            continue
        elif name == "ack":
            _acknowledge(queue, model, min(model.una + at, model.nxt))
        elif name == "sack":
            _sack(queue, model, model.una + at, min(model.una + at + length, model.nxt))
        elif name == "front":
            if not queue.first.lost and not queue.first.sacked:
                front = set(range(model.una, min(model.una + MSS, queue.first.end)))
                queue.mark_front_lost(MSS)
                model.lost |= front
        elif name == "all":
            queue.mark_all_lost()
            model.lost = model.outstanding() - model.sacked
        elif name == "resend":
            _resend(queue, model, length, now)
        elif name == "forget":
            queue.forget_sacked()
            model.lost |= model.sacked
            model.sacked = set()
        elif name == "forgive":
            queue.forgive_lost()
            model.lost = set()
        elif name == "tail" and not queue.last.sacked:
            last = queue.last_segment(MSS)
            assert last.end == model.nxt
            assert last.end - last.seq <= MSS
        check(queue, model)
    queue.clear()
    assert not queue
    assert queue.oldest is None


def _acknowledge(queue: RetransmissionQueue, model: Model, ack: int) -> None:
    delivery = Delivery()
    queue.acknowledge(ack, delivery)
    newly = set(range(model.una, ack))
    assert delivery.cumulative == len(newly)
    assert delivery.length == len(newly - model.sacked)
    model.una = ack
    model.lost -= newly
    model.sacked -= newly


def _sack(queue: RetransmissionQueue, model: Model, left: int, right: int) -> None:
    """Whole segments only: what is held in part does not count, and comes again in a later block."""
    if left >= right:
        return
    before = {record: record.sacked for record in queue}
    delivery = Delivery()
    queue.sack(left, right, MSS, delivery)
    now_sacked = set[int]()
    for record in queue:
        if record.sacked:
            now_sacked |= set(range(record.seq, record.end))
    new = now_sacked - model.sacked
    assert model.sacked <= now_sacked
    assert new <= set(range(left, right))
    assert delivery.length == len(new)
    # No more than one segment at each edge of a record is left out.
    missed = set(range(left, right)) - now_sacked
    assert len(missed) <= 2 * MSS * (len(before) + 1)
    model.sacked = now_sacked
    model.lost -= now_sacked


def _resend(queue: RetransmissionQueue, model: Model, most: int, now: float) -> None:
    record = queue.next_lost(most)
    assert (record is None) == (not model.lost)
    if record is None:
        return
    assert record.seq == min(model.lost)
    assert record.end - record.seq <= most
    numbers = set(range(record.seq, record.end))
    assert numbers <= model.lost
    queue.resent(record, now)
    assert record.times_sent >= 2
    model.lost -= numbers


def test_small_records_are_sent_again_together() -> None:
    """RFC 9293 §3.8.6: "may repackage segments on the retransmission queue"."""
    queue = RetransmissionQueue()
    for seq in range(100):
        queue.add(Record(seq, seq + 1, 0.0, fin=seq == 99))
    queue.mark_all_lost()
    record = queue.next_lost(60)
    assert record is not None
    assert (record.seq, record.end, record.fin) == (0, 60, False)
    queue.resent(record, 1.0)
    record = queue.next_lost(60)
    assert record is not None
    assert (record.seq, record.end, record.fin) == (60, 100, True)
    queue.resent(record, 1.0)
    assert queue.next_lost(60) is None
    assert queue.lost == 0


def test_a_syn_is_sent_again_alone() -> None:
    queue = RetransmissionQueue()
    queue.add(Record(0, 1, 0.0, syn=True))
    queue.add(Record(1, 2, 0.0, fin=True))
    queue.mark_all_lost()
    record = queue.next_lost(1000)
    assert record is not None
    assert (record.seq, record.end) == (0, 1)


def test_karn() -> None:
    """RFC 6298 §3: what was sent twice says nothing about the round trip, and taints what comes with it."""
    queue = RetransmissionQueue()
    for seq in (0, 10, 20):
        queue.add(Record(seq, seq + 10, float(seq)))
    queue.mark_front_lost(10)
    record = queue.next_lost(10)
    assert record is not None
    queue.resent(record, 30.0)
    delivery = Delivery()
    queue.acknowledge(20, delivery)
    assert delivery.repeated
    delivery = Delivery()
    queue.acknowledge(30, delivery)
    assert not delivery.repeated
    assert delivery.rtt_of is not None
    assert delivery.rtt_of.sent_at == 20.0


def test_a_long_stream_does_not_keep_its_beginning() -> None:
    queue = RetransmissionQueue()
    for number in range(10_000):
        queue.add(Record(number * 10, number * 10 + 10, 0.0))
        queue.acknowledge(number * 10, Delivery())
    assert len(queue._records) < 200
