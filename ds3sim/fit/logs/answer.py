"""An answer: what a completion says, in one spelling, so that equal answers of many spellings agree.

No algebra: ``2x`` and ``x2`` differ. A rewriting is done only where both spellings mean the same, so different
answers never agree; a unit or an ``x =`` counts as absent only against an answer that has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

LONGEST = 400
"""Characters of an answer that is read as mathematics; a longer one is compared as text."""

_SAME = {
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\leq": "\\le", "\\geq": "\\ge", "\\neq": "\\ne",
    "\\leqslant": "\\le", "\\geqslant": "\\ge", "\\lbrace": "\\{", "\\rbrace": "\\}", "\\rightarrow": "\\to",
    "\\ldots": "\\dots", "\\cdots": "\\dots", "\\degree": "\\circ", "\\varnothing": "\\emptyset", "\\lt": "<",
    "\\gt": ">", "\\%": "%", "−": "-", "–": "-", "π": "\\pi", "√": "\\sqrt", "∞": "\\infty", "×": "\\times",
    "·": "\\cdot", "≤": "\\le", "≥": "\\ge", "≠": "\\ne", "∪": "\\cup", "∩": "\\cap", "÷": "/", "⁄": "/",
    "bmatrix": "pmatrix", "\\lvert": "|", "\\rvert": "|", "\\vert": "|", "\\dbinom": "\\binom", "\\tbinom": "\\binom",
}  # fmt: skip
_NOTHING = re.compile(r"\\(?:left|right|displaystyle|textstyle|limits|[bB]igg?[lr]?|boxed|fbox)|\$|\\[()\[\]]")
_THIN = re.compile(r"\\(?:[!,;:> ]|q?quad)|~")
_ROMAN = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|math(?:rm|bf|it)|mbox|operatorname)")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\.\d+|[A-Za-z]{3,}|\s+|.", re.DOTALL)
_FUNCTION = re.compile(r"sqrt|(?:arc)?(?:sin|cos|tan)|cot|sec|csc|log|exp|inf", re.IGNORECASE)
_BARE = re.compile(r"\\(?:times|cdot|div|pi|le|ge|ne|pm|mp|cup|cap|in|to|infty|circ) ")
"""Commands without arguments; braces after any other hold one."""
_SHORT_UNIT = re.compile(r"[cmk]m|[km]g|ft|in|mi|lb|oz|ml|hr|yd")
_UNITS = {"\\circ": "degree", "degrees": "degree", "%": "percent", "\\$": "dollars"}
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_RATIO = re.compile(r"([-+]*)\(?([-+]?(?:\d+\.?\d*|\.\d+))(?: ?/ ?([-+]?(?:\d+\.?\d*|\.\d+)))?\)?")
_LABEL = re.compile(r"([A-Za-z](?:_\w|\([a-z]\))?)(?:=|\\in)(?!=)([^=<>]+)")
_MIXED = re.compile(r"(\d+) (\d+)/(\d+)")
_SCIENTIFIC = re.compile(r"(?:(-?\d+(?:\.\d+)?)(?:[eE]|\s*\\(?:times|cdot)\s+10\^)|(-?)10\^)(?:\{?([-+]?\d{1,2})\}?)")
_REPEATING = re.compile(r"(-?)(\d*)\.(\d*)(?:\\overline ?(?:(\d)|\{(\d+)\})|\((\d+)\))")
_ATOM = r"(?:\d+(?:\.\d+)?|[A-Za-z]|\\[A-Za-z]+ ?|\\sqrt\{[^{}]*\}|\([^()]*\))"
_QUOTIENT = re.compile(rf"(-?)({_ATOM})/({_ATOM})")
_SUPERSCRIPTS = re.compile("[\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT PLUS SIGN}]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


@dataclass(frozen=True)
class Answer:
    """An answer in three parts.

    Attributes:
        core: the answer proper, in one spelling; a number is a reduced fraction.
        unit: the unit after a number, ``""`` without one.
        label: the ``x`` of ``x = 5``, ``""`` without one.
    """

    core: str
    unit: str = ""
    label: str = ""

    def __str__(self) -> str:
        return f"{self.core} {self.unit}".rstrip()

    @classmethod
    @lru_cache(maxsize=65_536)
    def of(cls, text: str) -> Answer:
        """The answer that a text is: LaTeX or plain."""
        plain = text.strip().rstrip(".,;").strip()
        if len(plain) > LONGEST or plain.count("{") > 60:
            return cls("".join(text.split()))
        try:
            pieces = _Reader(_prepared(plain)).pieces()
        except IndexError:  # an unclosed brace, a command without its argument
            return cls("".join(plain.split()).lower())
        pieces, unit = _unit_split(pieces)
        core = _joined(pieces)
        found = _LABEL.fullmatch(_compact(core))
        label, core = (found[1], found[2]) if found else ("", core)
        return cls(_settled(core), unit, label)

    def agrees(self, other: Answer) -> bool:
        """Whether both say the same; a unit or label that one of them leaves out is no difference."""
        parts = ((self.unit, other.unit), (self.label, other.label))
        return self.core == other.core and all(a == b or not a or not b for a, b in parts)


def _prepared(text: str) -> str:
    """Without typographic signs and without the commas of thousands."""
    text = text.replace("{,}", "").replace(",\\!", "").replace("\\!,", "")
    text = _SUPERSCRIPTS.sub(lambda found: "^{" + unicodedata.normalize("NFKC", found[0]) + "}", text)
    out = []
    for sign in text:
        kind, _, parts = unicodedata.decomposition(sign).partition(" ")
        digits = "".join(chr(int(part, 16)) for part in parts.split()) if kind == "<fraction>" else ""
        if "⁄" in digits:
            out.append("\\frac{" + digits.replace("⁄", "}{") + "}")
        else:
            out.append("^\\circ" if sign == "°" else sign)
    joined = "".join(out)
    bracketed = any(mark in joined for mark in "([") or "\\{" in joined  # (1,200) is a pair
    return joined if bracketed else _THOUSANDS.sub(lambda found: found[0].replace(",", ""), joined)


class _Reader:
    """Tokens to pieces: (kind, string), kind one of number, word, blank, power, unit, sign."""

    def __init__(self, text: str) -> None:
        found: list[str] = _TOKEN.findall(text)
        self.tokens = [_SAME.get(token, token) for token in found if not _NOTHING.fullmatch(token)]
        self.at = 0

    def pieces(self, end: str | None = None) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while self.at < len(self.tokens):
            token = self._next()
            if token == end:
                return found
            self._add(found, token)
        if end is not None:
            raise IndexError
        return found

    def _next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def _add(self, found: list[tuple[str, str]], token: str) -> None:
        last = found[-1] if found else ("", "")
        if token.isspace() or _THIN.fullmatch(token):
            if found and last[0] != "blank":
                found.append(("blank", " " if token.isspace() else ""))
        elif token == "{" and (last[0] == "group" or (last[1][:1] == "\\" and not _BARE.fullmatch(last[1]))):
            inner = _joined(self.pieces("}"))
            found.append(("group", inner if len(inner) == 1 else "{" + _compact(inner) + "}"))
        elif token == "{":
            found.extend(self.pieces("}"))
        elif _ROMAN.fullmatch(token):
            found.append(("word", self._word()))
        elif token == "\\frac":
            over, under = self._argument(), self._argument()
            whole = found.pop() if _is_mixed(found, over, under) else ("", "0")
            if whole[0]:
                over = str(int(whole[1]) * int(under) + int(over))
            found.append(("ratio", f"({_term(over)}/{_term(under)})"))
        elif token in ("^", "_"):
            inner = self._argument(run=True)
            if inner == "\\circ":
                found.append(("unit", inner))
            else:
                found.append(("power", token + (inner if len(inner) == 1 else "{" + inner + "}")))
        elif token == "\\sqrt":
            root = self._until("]") if self._peek() == "[" else ""
            found.append(("sign", f"\\sqrt{'[' + root + ']' if root else ''}{{{self._argument()}}}"))
        elif token in ("\\begin", "\\end"):
            found.append(("sign", token + "{" + self._argument() + "}"))
        elif token in ("%", "\\$", "\\circ"):
            found.append(("unit", token))
        elif token[0].isdigit() or token[0] == ".":
            self._number(found, token)
        elif token.isalpha() and len(token) > 2:
            found.append(("sign" if _FUNCTION.fullmatch(token) else "word", token))
        else:
            found.append(("sign", token + (" " if token[0] == "\\" and token[1:].isalpha() else "")))

    def _number(self, found: list[tuple[str, str]], token: str) -> None:
        """Numbers beside each other stay apart, unless a thin space groups the digits of one."""
        if len(found) > 1 and found[-1] == ("blank", "") and found[-2][0] == "number":
            if len(token) == 3 and token.isdigit():
                found.pop()
                token = found.pop()[1] + token
            else:
                found[-1] = ("blank", " ")
        found.append(("number", token))

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _until(self, end: str) -> str:
        return _joined(self.pieces(end))

    def _argument(self, run: bool = False) -> str:
        """What a command takes: a group, else one character (``run``: else a whole number)."""
        token = self._next()
        while token.isspace() or _THIN.fullmatch(token):
            token = self._next()
        if token == "{":
            return _settled(self._until("}"))
        if token == "-" and run:
            return "-" + self._argument(run=True)
        if len(token) > 1 and token[0] != "\\" and not run:
            # \frac43 is 4/3 and \sqrt2x is x times the root: one digit, one letter.
            self.at -= 1
            self.tokens[self.at] = token[1:]
            return token[0]
        pieces: list[tuple[str, str]] = []
        self._add(pieces, token)
        return _joined(pieces)

    def _word(self) -> str:
        """The words of ``\\text{...}``; mathematics inside is read as such."""
        if self._peek() != "{":
            return self._argument()
        self.at += 1
        return _joined(self.pieces("}"))


def _joined(pieces: list[tuple[str, str]]) -> str:
    return "".join(string for _, string in pieces).strip()


def _term(text: str) -> str:
    """A numerator or denominator: in parentheses unless it is one thing."""
    return text if re.fullmatch(r"-?[\d.]+|[A-Za-z]|\\[A-Za-z]+ ?|\\sqrt\{[^{}]*\}", text) else f"({text})"


def _is_mixed(found: list[tuple[str, str]], over: str, under: str) -> bool:
    """Whether a whole number stands before a proper fraction: 2 1/2."""
    while found and found[-1][0] == "blank":
        found.pop()
    whole = bool(found) and found[-1][0] == "number" and found[-1][1].isdigit()
    alone = len(found) < 2 or found[-2][1] in ("-", "+", "(", ",", "=", " ")
    return whole and alone and over.isdigit() and under.isdigit() and 0 < int(over) < int(under)


def _unit_split(pieces: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], str]:
    """The pieces of the core, and the unit: words after (a dollar sign before) something without letters."""
    core, unit = list(pieces), []
    if core and core[0] == ("unit", "\\$"):
        return core[1:], "dollars"
    while core and core[-1][0] in ("word", "unit", "blank", "power"):
        if core[-1][0] == "power" and not (len(core) > 1 and core[-2][0] == "word"):
            break
        unit.insert(0, core.pop()[1].strip())
    power = [core.pop()[1]] if len(core) > 4 and core[-1][0] == "power" else []
    if not unit and len(core) > 3 and core[-3][0] == "blank" and _SHORT_UNIT.fullmatch(core[-2][1] + core[-1][1]):
        unit = [core[-2][1] + core[-1][1], *power]
        core = core[:-3]
    elif power:
        return pieces, ""
    rest = _joined(core)
    if not re.search(r"\d|\\pi|\\infty", rest) or re.search(r"(?<![\\A-Za-z])[A-Za-z]|[=<>]", rest):
        return pieces, ""
    name = "".join(unit)
    name = name.lower() if len(name) > 3 else name  # mg and Mg differ
    return core, _UNITS.get(name, name)


def _settled(core: str) -> str:
    """Numbers as reduced fractions, also inside lists; sets in order; choices and words in one spelling."""
    core = core.strip()
    value = _number(core)
    if value is not None:
        return str(value)
    letter = re.fullmatch(r"\(?([A-Za-z])\)?", core)
    if letter:  # a choice, or a name: e and E differ
        return letter[1].lower() if letter[1] in "ABCD" else letter[1]
    if re.fullmatch(r"[A-Za-z][A-Za-z '-]*", core):
        words = "".join(core.split())
        return words.lower() if re.search("[A-Za-z]{3}", core) or words.lower() == "no" else words
    quotient = _QUOTIENT.fullmatch(core)
    if quotient:
        return f"{quotient[1]}({quotient[2].strip()}/{quotient[3].strip()})"
    matrix = re.fullmatch(r"(\\begin\{pmatrix\})(.*)(\\end\{pmatrix\})", core, re.DOTALL)
    if matrix:
        entries = re.split(r"(&|\\\\ ?)", matrix[2])
        return matrix[1] + "".join(e.strip() if i % 2 else _settled(e) for i, e in enumerate(entries)) + matrix[3]
    for opening, closing in (("(", ")"), ("(", "]"), ("[", ")"), ("[", "]"), ("\\{", "\\}"), ("", "")):
        inner = core[len(opening) : len(core) - len(closing)]
        if core.startswith(opening) and core.endswith(closing) and len(core) >= len(opening) + len(closing):
            parts = list(_parts(inner))
            if len(parts) > 1:
                settled = [_settled(part) for part in parts]
                if opening == "\\{" and not re.search(r"[|:]|\\mid|\\dots", inner):
                    settled.sort()
                return opening + ",".join(settled) + closing
    return _compact(core)


def _compact(text: str) -> str:
    """Without blanks, but for those that keep two numbers apart."""
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)|(?<=[_^]\d)\s+", "", text.strip())


def _parts(text: str) -> Iterator[str]:
    """What stands between the commas outside brackets; nothing where brackets do not match."""
    depth, begin = 0, 0
    found = []
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return
        if sign == "," and depth == 0:
            found.append(text[begin:at])
            begin = at + 1
    yield from [*found, text[begin:]]


def _number(text: str) -> Fraction | None:
    """The number that a text is: a decimal, a ratio, a mixed number."""
    if not text or len(text) > 64:  # long digits are compared as text
        return None
    mixed = _MIXED.fullmatch(text.lstrip("-+"))
    if mixed and 0 < int(mixed[2]) < int(mixed[3]):
        size = int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3]))
        return -size if text[0] == "-" else size
    power = _SCIENTIFIC.fullmatch(text)
    if power:
        return Fraction(power[1] or power[2] + "1") * Fraction(10) ** int(power[3])
    again = _REPEATING.fullmatch(text)
    if again:
        period = again[4] or again[5] or again[6]
        once = Fraction(f"{again[2] or 0}.{again[3]}0")
        size = once + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(again[3]))
        return -size if again[1] else size
    found = _RATIO.fullmatch(text)
    if found is None or (text.count("(") != text.count(")")) or Fraction(found[3] or 1) == 0:
        return None
    return (-1) ** found[1].count("-") * Fraction(found[2]) / Fraction(found[3] or 1)
