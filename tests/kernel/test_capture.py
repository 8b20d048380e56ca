"""``--pcap`` as Wireshark sees it: captures of real connections, read back by tshark and by a strict reader."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from tests.kernel.clients import KERNEL, OURS, PATIENCE, curl, read_all, until, url
from tests.kernel.test_commands import listening, usertcp
from tests.kernel.tshark import comments, found, frames, nothing_is_broken, tshark
from tests.observe import pcapng_reader
from tests.observe.pcapng_reader import Packet, packets

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", ["--offload", "--no-offload"])
IN, OUT = 1, 2
IS_FROM = {4: "ip.src", 6: "ipv6.src"}


def attempt(capture: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``usertcp try --pcap``; the options of the command follow its own."""
    command = [sys.executable, "-m", "usertcp", "try", "--pcap", str(capture), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def download(family: int, size: int) -> list[str]:
    return ["--", "curl", "-sgo", "/dev/null", "--noproxy", "*", url(family, f"/bytes/{size}")]


def captured(path: Path) -> list[Packet]:
    return packets(path.read_bytes())


def captured_so_far(path: Path) -> list[Packet]:
    """In the moment of a write the last block may be cut, and nothing else."""
    data = path.read_bytes()
    return packets(data[: pcapng_reader.whole(data)]) if data else []


def is_from(packet: Packet, address: str) -> bool:
    raw = ip_address(address).packed
    return packet.data[12:16] == raw if len(raw) == 4 else packet.data[8:24] == raw


@families
@offloads
def test_a_connection_in_a_capture(family: int, offload: str, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    began = time.time_ns()
    assert attempt(path, offload, *download(family, 1_000_000)).returncode == 0
    ended = time.time_ns()
    nothing_is_broken(path)

    seen = captured(path)
    times = [packet.nanoseconds for packet in seen]
    assert times == sorted(times)
    assert began < times[0] < times[-1] < ended
    assert any(time % 1000 for time in times)
    for packet in seen:
        if is_from(packet, OURS[family]) or is_from(packet, KERNEL[family]):
            assert packet.direction == (OUT if is_from(packet, OURS[family]) else IN)
            assert packet.comments
    largest = max(len(packet.data) for packet in seen if packet.direction == OUT)
    assert largest > 20_000 if offload == "--offload" else largest <= 1500

    told = comments(path)
    assert len(told) > 20
    assert all(told.values())
    (syn,) = frames(path, "tcp.flags.syn == 1 && tcp.flags.ack == 0")
    assert "connection 1 begins: the peer opens it" in told[syn]
    assert any(text.startswith("LISTEN → SYN-RECEIVED: rcv SYN (RFC 9293 §3.10.7.2): ") for text in told[syn])
    (fin,) = frames(path, f"tcp.flags.fin == 1 && {IS_FROM[family]} == {OURS[family]}")
    assert any(text.startswith("CLOSE-WAIT → LAST-ACK: CLOSE (RFC 9293 §3.10.4): ") for text in told[fin])
    assert any("→ CLOSED: rcv ACK of FIN" in text for text in told[max(told)])
    data = frames(path, f"tcp.len > 0 && {IS_FROM[family]} == {OURS[family]}")
    assert all(" · cwnd " in told[frame][-1] and " · rto " in told[frame][-1] for frame in data)


@pytest.mark.parametrize(("offload", "note"), [("--offload", "TSO"), ("--no-offload", "")])
def test_the_interface_says_what_its_packets_are(offload: str, note: str, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    assert attempt(path, offload, "--", "true").returncode == 0
    section, interface, *_ = pcapng_reader.blocks(path.read_bytes())
    described = {code: value.decode() for code, value in pcapng_reader.options(section.body[16:])}
    assert described == {2: os.uname().machine, 3: f"Linux {os.uname().release}", 4: described[4]}
    assert described[4].startswith("usertcp ")
    named = dict(pcapng_reader.options(interface.body[8:]))
    assert (named[2], named[9]) == (b"usertcp0", b"\x09")
    assert OURS[4].encode() in named[3]
    if note:
        assert named[1] == b"super-segments of up to 64 KB: TSO; checksums filled in by the writer"
    else:
        assert 1 not in named


#: What tshark calls a segment that it has seen already, or that comes later than its number says: by how long after
#: the others, and whether duplicate acknowledgments came before.  All of them are what we sent again.
AGAIN = " || ".join(
    f"tcp.analysis.{name}"
    for name in ("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order")
)


@offloads
@pytest.mark.parametrize("seed", [1, 2])
def test_tshark_finds_the_retransmissions_that_we_tell(offload: str, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    done = attempt(path, offload, "--json", "--impair", f"loss=5%,seed={seed}", *download(4, 2_000_000))
    assert done.returncode == 0
    nothing_is_broken(path)
    told = comments(path)

    ours = f"ip.src == {OURS[4]}"
    again = frames(path, f"{ours} && ({AGAIN})")
    assert len(again) > 20
    assert again == [frame for frame in told if any(text.startswith("sent again, attempt ") for text in told[frame])]

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["conn"] for event in events if event["event"] == "retransmit"} == {1}
    sent_again = Counter(event["seq"] for event in events if event["event"] == "retransmit")
    assert sent_again == Counter(int(seq) for (seq,) in tshark(path, "tcp.seq_raw", only=f"{ours} && ({AGAIN})"))

    lost_out = frames(path, f'{ours} && frame.comment contains "lost by --impair on the way out"')
    lost_in = frames(path, f'{IS_FROM[4]} == {KERNEL[4]} && frame.comment contains "lost by --impair before the stack"')
    assert len(lost_out) > 20
    assert lost_in
    # What we sent again was lost, or its acknowledgment was.
    assert len(again) <= 2 * (len(lost_out) + len(lost_in))


def test_only_what_the_path_damaged_is_broken(tmp_path: Path) -> None:
    """What the stack sends is whole in the capture, and the path damages it behind that."""
    path = tmp_path / "capture"
    assert attempt(path, "--impair", "corrupt=4%,seed=3", *download(4, 1_000_000)).returncode == 0
    damaged = 'frame.comment contains "damaged by --impair before the stack"'
    nothing_is_broken(path, but=damaged)
    told = comments(path, damaged)
    assert told
    dropped = [texts for texts in told.values() if any(text.startswith("dropped: ") for text in texts)]
    assert len(dropped) > len(told) / 2
    assert frames(path, f'ip.src == {OURS[4]} && frame.comment contains "damaged by --impair on the way out"')


async def test_a_connection_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    listener = trio.socket.socket()
    await listener.bind(("", 0))
    listener.listen(1)
    with listener:
        arguments = ("connect", "--pcap", str(path), KERNEL[4], str(listener.getsockname()[1]))
        async with usertcp(*arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as command:
            client, _ = await listener.accept()
            async with trio.SocketStream(client) as stream:
                await stream.send_all(b"hello")
                assert await read_all(stream) == b""
            assert await command.ended() == 0
    nothing_is_broken(path)
    told = comments(path)
    (syn,) = frames(path, "tcp.flags.syn == 1 && tcp.flags.ack == 0")
    assert told[syn][0] == "connection 1 begins: we open it"
    assert told[syn][1].startswith("CLOSED → SYN-SENT: active OPEN (RFC 9293 §3.10.1): ")
    (syn_ack,) = frames(path, "tcp.flags.syn == 1 && tcp.flags.ack == 1")
    assert any(text.startswith("SYN-SENT → ESTABLISHED: rcv SYN,ACK") for text in told[syn_ack])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_can_be_read_while_it_grows_and_is_closed_by_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    async with listening("80", "--pcap", str(path)) as command:
        await curl(url(4))
        await until(lambda: any(b"GET / HTTP" in packet.data for packet in captured_so_far(path)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(curl, url(4, "/bytes/4000000"), "-o", "/dev/null", "--limit-rate", "8M")
            counts = []
            while nursery.child_tasks:
                counts.append(len(captured_so_far(path)))
                await trio.sleep(0.01)
        assert counts == sorted(counts)
        assert len(set(counts)) > 1
        idle = await trio.open_tcp_stream(OURS[4], 80)
        command.process.send_signal(number)
        assert await read_all(idle) == b""
        await idle.aclose()
        await command.ended()
        assert "too fast" not in command.told
    nothing_is_broken(path)
    last = captured(path)[-1]
    assert last.comments[-1].startswith("TIME-WAIT · ")  # we closed first


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_ends_the_command_ends_the_capture_well(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    script = f"exec 3<>/dev/tcp/{OURS[4]}/7; echo hello >&3; read line <&3; echo $line; exec sleep 1000"
    command = [sys.executable, "-m", "usertcp", "try", "--pcap", str(path), "--", "bash", "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "hello\n"
            process.send_signal(number)
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    nothing_is_broken(path)
    told = comments(path)
    (fin,) = frames(path, f"tcp.flags.fin == 1 && ip.src == {KERNEL[4]}")
    assert any("ESTABLISHED → CLOSE-WAIT: rcv FIN" in text for text in told[fin])


async def test_a_ring_is_bounded_while_it_is_written(tmp_path: Path) -> None:
    path, before, limit = tmp_path / "capture", tmp_path / "capture.1", 1 << 20
    async with listening("80", "--pcap", str(path), "--pcap-ring", "1M") as command:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(curl, url(4, "/bytes/50000000"), "-o", "/dev/null")
            while nursery.child_tasks:
                assert sum(entry.stat().st_size for entry in os.scandir(tmp_path)) <= limit
                await trio.sleep(0.01)
        command.process.send_signal(signal.SIGINT)
        await command.ended()
    assert sorted(os.listdir(tmp_path)) == ["capture", "capture.1"]
    for file in (before, path):
        nothing_is_broken(file)
    times = [packet.nanoseconds for file in (before, path) for packet in captured(file)]
    assert times == sorted(times)
    assert any("CLOSED" in text for text in captured(path)[-1].comments)


async def test_tshark_reads_along(tmp_path: Path) -> None:
    """``usertcp listen 80 --pcap - | tshark -r -``"""
    arguments = [found(), "-nlr", "-", "-T", "fields", "-e", "frame.comment"]
    reader, writer = os.pipe()
    async with listening("80", "--pcap", "-", stdout=writer) as command:
        os.close(writer)
        process = await trio.lowlevel.open_process(
            arguments, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        os.close(reader)
        await curl(url(4))
        assert process.stdout is not None
        seen = b""
        with trio.fail_after(PATIENCE):
            while "→ CLOSED".encode() not in seen:
                seen += await process.stdout.receive_some()
            assert "LISTEN → SYN-RECEIVED".encode() in seen
            command.process.send_signal(signal.SIGINT)
            assert await command.ended() == 130
            await process.wait()
        await process.stdout.aclose()


def test_a_full_disk_ends_the_capture_and_nothing_else() -> None:
    done = attempt("/dev/full", "--", "curl", "-s", "--noproxy", "*", url(4))
    assert done.returncode == 0
    assert done.stdout.startswith("Hello from usertcp")
    assert done.stderr.count("usertcp: the capture /dev/full ends here: No space left on device\n") == 1
    assert "Traceback" not in done.stderr
    assert "ESTABLISHED" in done.stderr


async def test_a_reader_that_goes_away_ends_the_capture_and_nothing_else() -> None:
    reader, writer = os.pipe()
    async with listening("80", "--pcap", "-", stdout=writer) as command:
        os.close(writer)
        os.close(reader)
        await curl(url(4))
        await command.wait_until_told("the capture - ends here: Broken pipe")
        assert "Hello" in await curl(url(4))
        command.process.send_signal(signal.SIGTERM)
        assert await command.ended() == 0
        assert command.told.count("ends here") == 1
