"""Outcomes as text for people and as lines of JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from usertcp.drill.ignore import Ignore, describe
from usertcp.drill.outcome import Outcome, Result
from usertcp.observe.escape import for_terminal


def to_line(outcome: Outcome, ignore: frozenset[Ignore] = frozenset()) -> str:
    """One line of JSON, without its end; ASCII.

    ``script``, ``result`` and ``reason`` are strings ("" where nothing is to be said), ``line`` is a number or
    null; ``diff`` is the text that belongs to the reason, ``unseen`` the number of packets after the last
    expectation, ``recut`` the number of expectations that were compared with another number of packets,
    ``ignored`` what was relaxed.
    """
    return json.dumps(
        {
            "script": for_terminal(outcome.script),
            "result": outcome.result.value,
            "reason": outcome.reason,
            "line": outcome.line or None,
            "diff": outcome.detail,
            "unseen": outcome.unseen,
            "recut": outcome.recut,
            "ignored": [member.value for member in Ignore if member in ignore],
        }
    )


def to_text(outcome: Outcome) -> Iterator[str]:
    """The lines for one script: its result, the reason, and the diff."""
    place = for_terminal(outcome.script) + (f":{outcome.line}" if outcome.line else "")
    yield f"{outcome.result.value}: {place}" + (f": {outcome.reason}" if outcome.reason else "")
    for line in outcome.detail.splitlines():
        yield f"    {line}"
    for line in outcome.printed:
        yield f"    printed: {for_terminal(line)}"


@dataclass(slots=True)
class Summary:
    """Counts over many scripts."""

    counts: Counter[Result] = field(default_factory=Counter)
    unseen: int = 0
    unseen_in: int = 0
    recut: int = 0

    def add(self, outcome: Outcome) -> None:
        """One more script."""
        self.counts[outcome.result] += 1
        if outcome.result is Result.PASSED:
            self.unseen += outcome.unseen
            self.unseen_in += outcome.unseen > 0
            self.recut += outcome.recut

    def lines(self, ignore: frozenset[Ignore], profile: str) -> Iterator[str]:
        """What the command says at its end, and what the passed scripts' results do not say."""
        total = sum(self.counts.values())
        parts = ", ".join(f"{self.counts[result]} {result.value}" for result in Result)
        yield f"{total} script{'s' * (total != 1)} (profile {profile}): {parts}"
        if self.unseen:
            yield (
                f"not looked at: {_packets(self.unseen)} after the last expectation of {self.unseen_in} of the passed "
                "scripts (--strict-end makes them a failure)"
            )
        if self.recut:
            yield (
                f"compared as parts: {self.recut} expected segments that went out in another number of packets "
                "(--strict_segments makes that a failure)"
            )
        for line in describe(ignore):
            yield f"relaxed: {line}"


def _packets(number: int) -> str:
    return f"{number} packet{'s' * (number != 1)}"
