"""Tells the story of connections from their trace events: what is worth an arrow, a line, or only a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from usertcp.observe.conversation import Conversation
from usertcp.observe.escape import for_terminal
from usertcp.observe.kept_arrow import KeptArrow, arrow_of
from usertcp.observe.labels import Labels
from usertcp.observe.lines import Role
from usertcp.observe.names import in_brackets
from usertcp.observe.peer import PeerStep
from usertcp.observe.remarks import Said, said_of, said_of_duplicate
from usertcp.observe.story import Begun, Ended, Note, Rung, Turn
from usertcp.observe.strays import Strays
from usertcp.tcp.events import (
    Acknowledged,
    ChallengeAck,
    Deleted,
    Dropped,
    Dsack,
    Joined,
    Lost,
    Opened,
    OutOfOrder,
    PeerSeen,
    Probe,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    StrayIn,
    StrayOut,
    TraceEvent,
    Transitioned,
    WindowChanged,
)

#: Quiet segments in a row that are drawn before the rest is folded.
_SHOWN_IN_A_ROW: Final = 6
#: What comes so soon after a segment, in seconds, comes with it.
_AT_ONCE: Final = 0.0005
#: While a fold goes on, it tells how far it is every so many seconds (live only).
_PROGRESS: Final = 1.0


class Telling(NamedTuple):
    """What is told, and how.

    ``absolute`` shows sequence numbers as on the wire instead of relative to the initial ones; ``verbose`` tells
    every kind of event, ``unfold`` every single one.
    """

    absolute: bool = False
    verbose: bool = False
    unfold: bool = False


#: What teaches most: the default.
CONCISE: Final = Telling()


class Narrator:
    """Turns trace events into rungs, as they come.

    An arrow is kept until the next event, since that may have to say something of it.  ``live``: long folds tell
    their progress, and what has ended is forgotten.
    """

    def __init__(self, telling: Telling, *, live: bool = False) -> None:
        self._telling = telling
        self._live = live
        self._labels = Labels(absolute=telling.absolute, verbose=telling.verbose)
        self._conversations: dict[int, Conversation] = {}
        self._strays = Strays(live=live)
        self._kept: KeptArrow | None = None

    def feed(self, event: TraceEvent) -> list[Rung]:
        """The rungs that ``event`` adds; none while it is folded away or its arrow is kept."""
        if isinstance(event, Lost):
            return self._missing(event)
        conversation, rungs = self._conversation_of(event)
        if conversation is None:
            return rungs
        if self._kept is not None and conversation is not self._kept.whose:
            rungs = self._release() + rungs
        conversation.ended = conversation.journey.ended = max(conversation.ended, event.time)
        if not isinstance(event, (StrayIn, StrayOut)):
            conversation.questions.feed(event)
        return rungs + self._tell(conversation, event)

    def _missing(self, event: Lost) -> list[Rung]:
        """Events are missing: in a ladder of all, once; in one for each connection, in every one that goes on."""
        text = f"… {event.events:,} events are missing here …"
        rungs = self.flush()
        for conversation in self._conversations.values():
            conversation.missing += event.events
        going_on = [] if self._live else list(self._conversations)
        return rungs + [Note(story, event.time, text, Role.WARNING) for story in going_on or [0]]

    def flush(self) -> list[Rung]:
        """What is still folded or kept; call it when no event has come for a while."""
        rungs = self._release()
        for conversation in self._conversations.values():
            rungs += self._settle(conversation)
        return rungs

    def end(self) -> list[Rung]:
        """The last rungs: of every connection that has not ended."""
        rungs = self._release()
        for conversation in self._conversations.values():
            state = conversation.state
            text = f"still {state} when the watching ended" if state is not None and conversation.number else ""
            rungs += self._held_reading(conversation, conversation.ended) + self._settle(conversation)
            rungs.append(self._ended(conversation, text, Role.DIM))
        self._conversations.clear()
        return rungs + self._strays.end()

    # -- whose event it is --------------------------------------------------------------------------------

    def _conversation_of(self, event: TraceEvent) -> tuple[Conversation | None, list[Rung]]:
        if isinstance(event, (StrayIn, StrayOut)):
            story = self._strays.story_of(event)
            if story is None:
                return None, self._release()
            known = self._conversations.get(story)
            if known is not None:
                return known, []
            for old in self._strays.forgotten():
                self._conversations.pop(old, None)
            return self._begin(story, event)
        if event.conn == 0:
            if isinstance(event, Dropped) and self._kept is not None and self._kept.is_stray:
                return self._kept.whose, []
            return None, self._release() + self._strays.dropped(event)
        if event.conn in self._conversations:
            return self._conversations[event.conn], []
        if isinstance(event, Opened):
            story = self._strays.becomes(event)
            if story is not None and story in self._conversations:
                return self._adopt(self._conversations.pop(story), event)
        elif self._live and isinstance(event, PeerSeen):
            return None, []  # a reading that came after the connection had ended
        return self._begin(event.conn, event)

    def _begin(self, story: int, event: TraceEvent) -> tuple[Conversation, list[Rung]]:
        made = self._conversations[story] = Conversation(story, event)
        begun = Begun(story, event.time, event.conn, made.role, made.local, made.remote, made.joined)
        return made, [begun]

    def _adopt(self, conversation: Conversation, event: Opened) -> tuple[Conversation, list[Rung]]:
        """Two sockets that have talked without a connection have one now: their story goes on."""
        conversation.opened(event)
        self._conversations[event.conn] = conversation
        begun = Begun(conversation.story, event.time, event.conn, event.role, conversation.local, conversation.remote)
        return conversation, [begun]

    # -- events -------------------------------------------------------------------------------------------

    def _tell(self, conversation: Conversation, event: TraceEvent) -> list[Rung]:
        match event:
            case SegmentIn() | SegmentOut():
                return (
                    self._release() + self._held_reading(conversation, event.time) + self._segment(conversation, event)
                )
            case StrayIn() | StrayOut():
                return self._release() + self._stray(conversation, event)
            case Transitioned():
                return self._turn(conversation, event)
            case Deleted():
                rungs = self._release() + self._held_reading(conversation, event.time) + self._settle(conversation)
                self._conversations.pop(event.conn, None)
                if event.error:
                    return [*rungs, self._ended(conversation, f"ended: {for_terminal(event.error)}", Role.ERROR)]
                return [*rungs, self._ended(conversation, "ended in good order", Role.DIM)]
            case PeerSeen():
                return self._peer(conversation, event)
            case Opened() | Joined():
                return []
            case Dsack():
                end = conversation.theirs if event.side == "ours" else conversation.ours
                numbers = self._labels.number(end, event.start), self._labels.number(end, event.end)
                return self._say(conversation, event, said_of_duplicate(event, *numbers))
            case _:
                said = said_of(event)
                return [] if said is None else self._say(conversation, event, said)

    def _segment(self, conversation: Conversation, segment: SegmentIn | SegmentOut) -> list[Rung]:
        conversation.count(segment)
        states = conversation.state, conversation.peer_state
        before: Sequence[PeerStep] = ()
        said: list[Said] = []
        if isinstance(segment, SegmentOut):
            after: Sequence[PeerStep] = conversation.peer.sent_to(segment)
            said, conversation.coming = conversation.coming, []
        else:
            before, after = conversation.peer.received_from(segment)
        turns = self._peer_turns(conversation, segment.time, before, read=False)
        rungs = [*self._settle(conversation), *turns] if turns else []
        remark = conversation.remark(segment, absolute=self._telling.absolute)
        label = self._labels.label(conversation, segment)
        arrow = arrow_of(segment, conversation.story, label, states)
        self._kept = kept = KeptArrow(arrow, conversation, everything=self._telling.unfold)
        kept.add(remark)
        for each in said:
            kept.say(each)
        kept.follow(self._peer_turns(conversation, segment.time, after, read=False))
        return rungs

    def _stray(self, conversation: Conversation, event: StrayIn | StrayOut) -> list[Rung]:
        header = event[6:16]  # from seq to ecn, as in a segment of a connection
        fields, more = header[:8], header[8:]
        segment: SegmentIn | SegmentOut = SegmentIn(event.time, 0, *fields, *more)
        if isinstance(event, StrayOut):
            segment = SegmentOut(event.time, 0, *fields, 1, *more)
        if not conversation.number:
            conversation.questions.feed(segment)
        rungs = self._segment(conversation, segment)
        if self._kept is not None:
            self._kept.is_stray = True
            if isinstance(event, StrayOut):
                answer = _ANSWERS.get(event.reason, for_terminal(event.reason))
                self._kept.add(answer + in_brackets(event.section))
        return rungs

    def _turn(self, conversation: Conversation, event: Transitioned) -> list[Rung]:
        """Our step; one that changes nothing is told once, unless everything is."""
        conversation.journey.we_step(event)
        changed = event.next_state is not event.state
        conversation.state = event.next_state
        if not (changed or conversation.is_new(event.reason) or self._telling.verbose or self._telling.unfold):
            return self._release()
        turn = Turn(
            conversation.story,
            event.time,
            True,
            event.next_state if changed else None,
            event.event.value,
            for_terminal(event.section),
            for_terminal(event.reason),
        )
        return [*self._release(), *self._settle(conversation), turn]

    def _peer(self, conversation: Conversation, event: PeerSeen) -> list[Rung]:
        if event.after == "segment-in":
            # Taken before the stack has seen that segment: what it shows belongs before its arrow.
            conversation.reading = event
            return []
        return self._read(conversation, event)

    def _read(self, conversation: Conversation, event: PeerSeen) -> list[Rung]:
        steps = conversation.peer.read(event)
        told = conversation.kernel.telling(event, verbose=self._telling.verbose)
        kept = self._kept
        turns = self._peer_turns(conversation, event.time, steps, read=True)
        if kept is not None and kept.arrow.out and kept.whose is conversation:
            if event.after == "open":
                return [*self._settle(conversation), *turns]  # before the arrow that is kept
            if not told:
                kept.follow(turns)
                return []
        if not steps and not told:
            return []
        rungs: list[Rung] = [*self._release(), *self._settle(conversation), *turns]
        if told:
            rungs.append(Note(conversation.story, event.time, told, Role.NOTE, ours=False))
        return rungs

    def _held_reading(self, conversation: Conversation, time: float) -> list[Rung]:
        """What is shown of a reading that waited until ``time``, when its segment came; it may have been taken a
        moment later, but belongs before."""
        reading, conversation.reading = conversation.reading, None
        if reading is None:
            return []
        return self._read(conversation, reading._replace(time=min(reading.time, time)))

    def _peer_turns(
        self, conversation: Conversation, time: float, steps: Sequence[PeerStep], *, read: bool
    ) -> list[Turn]:
        conversation.journey.peer_steps(time, steps, read=read)
        turns = []
        for step in steps:
            conversation.peer_state = step.next_state
            cause = step.reason if step.event is None else step.event.value
            turns.append(Turn(conversation.story, time, False, step.next_state, cause, "", step.reason, read))
        return turns

    # -- what is said of segments -------------------------------------------------------------------------

    def _say(self, conversation: Conversation, event: TraceEvent, said: Said) -> list[Rung]:
        """``said`` of the kept arrow, of the next one out, or by itself."""
        conversation.totals[said.kind] += 1
        if isinstance(event, (Retransmitted, Probe)) or (isinstance(event, Dsack) and event.side == "ours"):
            conversation.coming.append(said)
            return []
        if not said.loud and not self._telling.verbose:
            return []
        kept = self._kept
        if kept is not None and _belongs_to(kept, event, said):
            kept.say(said)
            return []
        note = Note(conversation.story, event.time, said.text, said.role, kind=said.kind)
        rungs = self._release()
        quiet = not said.loud and conversation.run >= _SHOWN_IN_A_ROW
        if self._telling.unfold or (conversation.worth_a_line(said) if said.loud else not quiet):
            return [*rungs, *self._settle(conversation), note]
        conversation.fold.add(note)
        return rungs

    # -- folding ------------------------------------------------------------------------------------------

    def _release(self) -> list[Rung]:
        """Nothing more will be said of the kept arrow: it is drawn, or folded."""
        kept, self._kept = self._kept, None
        if kept is None:
            return []
        if self._telling.unfold:
            return [kept.arrow]
        conversation = kept.whose
        if not kept.is_quiet:
            return [*self._settle(conversation), kept.arrow]
        if conversation.run < _SHOWN_IN_A_ROW:
            conversation.run += 1
            return [kept.arrow]
        fold = conversation.fold
        fold.add(kept.arrow)
        if self._live and not fold.empty and fold.ended - fold.started >= _PROGRESS:
            return self._settle(conversation, going_on=True)
        return []

    def _settle(self, conversation: Conversation, *, going_on: bool = False) -> list[Rung]:
        """Ends a run of quiet segments: the fold, and what was kept back."""
        # A little context after what was notable, not a whole run again.
        conversation.run = _SHOWN_IN_A_ROW if going_on else min(conversation.run, _SHOWN_IN_A_ROW - 3)
        return list(conversation.fold.end(conversation.story))

    def _ended(self, conversation: Conversation, text: str, role: Role) -> Ended:
        totals = conversation.totals_told()
        if not conversation.number:
            return Ended(conversation.story, conversation.ended, text, role, totals, (), None)
        path = conversation.journey.path()
        answers = tuple(conversation.questions.answers(path))
        return Ended(conversation.story, conversation.ended, text, role, totals, answers, path)


#: What a segment for no connection is answered with.
_ANSWERS: Final = {
    "reset": "no connection is here for it: a RST says so",
    "syn-cookie": "a SYN cookie: what is to be remembered is in this ISN",
}


def _belongs_to(kept: KeptArrow, event: TraceEvent, said: Said) -> bool:
    """Whether ``event`` is said of the arrow: what is loud only of the segment that it is about, the rest where it
    happened with it."""
    if not said.loud:
        return event.time - kept.arrow.time < _AT_ONCE
    if kept.arrow.out:
        return False
    if isinstance(event, WindowChanged):
        return event.side == "theirs"
    return isinstance(event, (Dropped, OutOfOrder, Acknowledged, ChallengeAck, Dsack))
