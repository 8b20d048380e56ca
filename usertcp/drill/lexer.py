"""A script's text as tokens, one at a time, and where each of them stands.

Line ends mean nothing to the grammar.  Three kinds of comment do not either: ``//`` and ``#`` to the end of the line,
``/* ... */``.  The parser sees one token ahead; where a place has a spelling of its own (addresses, notes, the
hexadecimal digits of a cookie) it reads on from the token's first character with a pattern of its own (:meth:`raw`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.observe.escape import for_terminal

#: Kinds of token; a sign ("(", "...", "<") is its own kind.
WORD, INTEGER, HEXADECIMAL, FRACTION = "word", "integer", "hexadecimal", "fraction"
STRING, COMMAND, CODE, OPTION, END = "string", "command", "code", "option", "end"

# All repetitions are possessive: no text makes a match go back over what it has read.
_BLANK = r"(?:\s++|//[^\n]*+|\#[^\n]*+|/\*(?s:.*?)\*/)*+"
_TOKEN = re.compile(
    _BLANK
    + r"""(?:
      (?P<hexadecimal> 0[xX][0-9a-fA-F]++(?!\w) )
    | (?P<fraction>    -?+[0-9]*+\.[0-9]++(?!\w) )
    | (?P<integer>     -?+[0-9]++(?!\w) )
    | (?P<word>        \w++ )
    | (?P<option>      --(?=\w) | -(?=D[\x20=\w]) )
    | (?P<string>      "(?:[^"\\\n]++|\\[^\n])*+" )
    | (?P<command>     `[^`]*+` )
    | (?P<code>        %\{(?s:.*?)\}% )
    | (?P<sign>        \.\.\. | << | >> | . )
    )?""",
    re.ASCII | re.VERBOSE,
)
_BLANKS = re.compile(_BLANK, re.ASCII | re.VERBOSE)

#: What a definition reaches: words, but not inside of the tokens that are texts.
_DEFINABLE = re.compile(
    r"""(?P<word>\w++) | //[^\n]*+ | \#[^\n]*+ | /\*(?s:.*?)(?:\*/|\Z)
    | "(?:[^"\\\n]++|\\[^\n])*+"? | `[^`]*+`? | %\{(?s:.*?)(?:\}%|\Z)""",
    re.ASCII | re.VERBOSE,
)
#: Characters that a script may have when its definitions are put in.
_MOST_CHARACTERS = 16 << 20

#: What an opening that is never closed is called.
_UNCLOSED = (('"', "a string"), ("`", "a command"), ("%{", "code"), ("/*", "a comment"))

#: Digits that a number may have: 64 bits, and some zeros.
_MOST_DIGITS = 40


class Lexer:
    """The text, and the token that comes next: its ``kind``, ``text`` and ``start``."""

    __slots__ = ("_lines", "_source", "end", "kind", "start", "text")

    def __init__(self, source: str) -> None:
        """``source`` is the whole script; line ends of any system."""
        self._source = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self._lines = [m.start() for m in re.finditer("\n", self._source)]
        self.kind = END
        self.text = ""
        self.start = self.end = 0
        self.take()

    # -- Reading ----------------------------------------------------------------------------------------

    def take(self) -> str:
        """The text of the token that came next; go on to the one after it."""
        text = self.text
        match = _TOKEN.match(self._source, self.end)
        assert match is not None  # every part of the pattern may be empty
        kind = match.lastgroup
        self.end = match.end()
        if kind is None:
            self.kind, self.text, self.start = END, "", self.end
            return text
        self.text = match[kind]
        self.start = self.end - len(self.text)
        self.kind = self.text if kind == "sign" else kind
        return text

    def accept(self, kind: str) -> bool:
        """Whether the next token is of this kind; then it is taken."""
        if self.kind != kind:
            return False
        self.take()
        return True

    def accept_word(self, word: str) -> bool:
        """Whether the next token is this word; then it is taken."""
        if self.text != word or self.kind != WORD:
            return False
        self.take()
        return True

    def expect(self, kind: str, what: str) -> str:
        """The next token's text, which must be of this kind."""
        if self.kind != kind:
            raise self.expected(what)
        return self.take()

    def integer(self, what: str, low: int | None = None, high: int | None = None) -> int:
        """The next token as an integer, decimal or hexadecimal, from ``low`` to ``high``."""
        kind, text = self.kind, self.text
        if (kind != INTEGER and kind != HEXADECIMAL) or len(text) > _MOST_DIGITS:
            raise self.expected(what)
        value = int(text, 16 if kind == HEXADECIMAL else 10)
        if (low is not None and value < low) or (high is not None and value > high):
            raise self.expected(f"{what} from {low} to {high}" if high is not None else f"{what} of at least {low}")
        self.take()
        return value

    def raw(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of a pattern at the next token's first character; where there is one, go on behind it."""
        match = pattern.match(self._source, self.start)
        if match is not None:
            self.end = match.end()
            self.take()
        return match

    def looks_at(self, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern matches at the next token's first character; nothing is taken."""
        return pattern.match(self._source, self.start) is not None

    def adjoins(self, end: int) -> bool:
        """Whether the next token begins right at ``end``, an offset where the one before ended."""
        return self.kind != END and self.start == end

    def define(self, definitions: Mapping[str, str]) -> None:
        """Put values for words, from the next token to the end of the text.  Values are not looked through again."""
        if not definitions:
            return
        # What comes in has no line ends: lines keep their numbers.
        values = {name: " ".join(value.split()) for name, value in definitions.items()}
        longest = max(map(len, values.values()))
        rest = self._source[self.start :]
        if longest * (len(rest) // 2) > _MOST_CHARACTERS:
            grown = sum(len(values[m[0]]) for m in _DEFINABLE.finditer(rest) if m["word"] and m[0] in values)
            if grown > _MOST_CHARACTERS:
                raise ScriptError(self.line, "the definitions make this script too long")
        rest = _DEFINABLE.sub(lambda m: values.get(m[0], m[0]) if m["word"] else m[0], rest)
        self._source = self._source[: self.start] + rest
        self._lines = [m.start() for m in re.finditer("\n", self._source)]
        self.end = self.start
        self.take()

    # -- Where, and what is wrong -----------------------------------------------------------------------

    @property
    def line(self) -> int:
        """The line of the next token, from 1."""
        return self.line_at(self.start)

    def line_at(self, offset: int) -> int:
        """The line of a character."""
        return bisect_right(self._lines, offset - 1) + 1

    def on_line_of(self, offset: int) -> bool:
        """Whether the next token stands on the line of this character."""
        return self.line_at(offset) == self.line

    def expected(self, what: str) -> ScriptError:
        """The next token is not what is expected here."""
        if self.kind not in (STRING, COMMAND, CODE):
            for opening, name in _UNCLOSED:
                if self._source.startswith(opening, self.start):
                    return ScriptError(self.line, f"{name} begins here and never ends")
        return ScriptError(self.line, f"expected {what}, found {self.found()}")

    def wrong(self, reason: str, offset: int | None = None) -> ScriptError:
        """What was read, from ``offset``, makes no sense."""
        return ScriptError(self.line if offset is None else self.line_at(offset), reason)

    def unsupported(self, what: str, offset: int | None = None) -> Unsupported:
        """What was read, from ``offset``, makes sense, but not to this interpreter."""
        return Unsupported(self.line if offset is None else self.line_at(offset), what)

    def found(self) -> str:
        """The next token for a message: short, printable, one line."""
        if self.kind == END:
            return "the end of the script"
        text = for_terminal(self.text[:41])
        return f"'{text[:40]}...'" if len(text) > 40 else f"'{text}'"
