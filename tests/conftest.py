"""Tests marked ``kernel`` run each in a process and a network namespace of their own.

They make TUNs and addresses as they please: nothing they do reaches the host's network, nothing is left
for the next test, and one that hangs or dies is one failure.  As root the namespace is a plain one,
otherwise it comes with a user namespace.  Where neither is possible these tests are skipped with the reason;
under ``CI=true`` a skipped one is a failure, since there nobody would notice.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
import traceback
import warnings
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from usertcp.runtime import namespace
from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import bring_up_loopback
from usertcp.runtime.tun import Tun
from usertcp.tcp import ecn, recovery

# A property is about what comes out, not about how long a loaded machine takes.
settings.register_profile("usertcp", deadline=None)
settings.load_profile("usertcp")

# Seconds; ``@pytest.mark.kernel(timeout=...)`` allows more.
KERNEL_TEST_TIMEOUT = 120

_CALM = (
    "active", "force", "frto", "new_first", "prr_delivered", "prr_out", "recover", "recover_fs", "reduces",
    "repairing_ts", "state", "tlp_end", "tlp_is_retransmission", "tlp_samples", "undo_from", "undo_length", "undo_to",
    "undo_una",
)  # fmt: skip
_UNUSED = (
    "cwr_due", "echoing", "exact", "held_until", "listens", "marks", "offered", "recover", "reductions", "sends",
)  # fmt: skip

_no_namespace = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "rootless: a kernel test that is also run as another uid in a user namespace"
    )


@pytest.fixture(autouse=True)
def _shared_values_stay_as_they_are() -> Iterator[None]:
    """What all connections share until they need one of their own is nobody's to change."""
    yield
    calm, unused = recovery.Recovery(), ecn.Ecn()
    assert all(getattr(recovery.CALM, name) == getattr(calm, name) for name in _CALM)
    assert all(getattr(ecn.UNUSED, name) == getattr(unused, name) for name in _UNUSED)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    marker = item.get_closest_marker("kernel")
    if marker is None:
        return None
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _run_in_child(item, marker.kwargs.get("timeout", KERNEL_TEST_TIMEOUT)):
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # What an earlier test of the module set up in this process was kept for this one.
    session: Any = item.session
    session._setupstate.teardown_exact(nextitem)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Before any fixture: outside of a namespace of its own nothing of this test may run.
    if reason := item.stash.get(_no_namespace, ""):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    kernel = item.get_closest_marker("kernel") is not None
    if kernel and report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"under CI a kernel test may not be skipped: {reason}"
    return report


def _run_in_child(item: pytest.Item, timeout: float) -> list[pytest.TestReport]:
    """Run the test in a forked child and return its reports (for setup, call and teardown)."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Threads that an earlier test left idle do no harm: trio forgets them in the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            _child(item, writer)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    with suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)  # the child does the same; whoever is first
    try:
        answer = _read_until_end(pid, reader, time.monotonic() + timeout)
    finally:
        os.close(reader)
        status = _end(pid)
    if answer is None:
        return [_failure(item, f"still running after {timeout} s: killed")]
    try:
        data = json.loads(answer)
    except ValueError:
        return [_failure(item, f"the test's process ended without a report ({status})")]
    return [_from_json(item.config, report) for report in data]


def _child(item: pytest.Item, writer: int) -> None:
    """Enter the namespace, run the test there, and write its reports as JSON."""
    with suppress(PermissionError):
        os.setpgid(0, 0)
    try:
        namespace.enter()
        bring_up_loopback()
        Tun("probe0").close()
    except SetupError as error:
        item.stash[_no_namespace] = str(error)
    # What belongs to the session, and only that, is the parent's to tear down.
    session: Any = item.session
    reports = runtestprotocol(item, log=False, nextitem=session)
    to_data = item.config.hook.pytest_report_to_serializable
    data = [to_data(config=item.config, report=report) for report in reports]
    with open(writer, "wb") as stream:
        stream.write(json.dumps(data).encode())
    os._exit(0)


def _from_json(config: pytest.Config, data: dict[str, Any]) -> pytest.TestReport:
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(config=config, data=data)
    if isinstance(report.longrepr, list):
        report.longrepr = tuple(report.longrepr)  # of a skipped test: path, line, reason
    return report


def _read_until_end(pid: int, reader: int, deadline: float) -> bytes | None:
    """Everything that process `pid` writes until it ends; None if the deadline comes first.

    The end of the pipe says nothing: a process that the test forked may hold it open.
    """
    answer = b""
    with open(os.pidfd_open(pid), "rb") as process:
        while ready := select.select([reader, process], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(reader, 65536) if reader in ready else b""
            answer += chunk
            if not chunk and process in ready:
                return answer
    return None


def _end(pid: int) -> str:
    """Kill what is left of the test and everything that it started; say how its process ended."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:  # it hangs, or we were interrupted
        # faulthandler, which pytest enables, then writes where the test hangs
        os.kill(pid, signal.SIGABRT)
        _, status = os.waitpid(pid, 0)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


def _failure(item: pytest.Item, what: str) -> pytest.TestReport:
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", what, "call")
