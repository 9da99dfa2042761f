"""XML documents of graphs, read event by event."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from ds3sim.core.errors import InputError
from ds3sim.core.files import as_text
from ds3sim.graph.found import Found

DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)")


class XmlReader:
    """Handlers of the XML parser: ``opened`` and ``closed`` are told of every element, ``found`` is the result.

    Documents with a DOCTYPE are refused: it is how entities are declared that unfold to gigabytes.
    """

    format = "XML"
    text_in: tuple[str, ...] = ()
    """Elements whose text matters; it is in ``pieces`` when they are closed."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.found = Found()
        self.edges: list[tuple[Any, ...]] = []
        self.lines: list[str] = []
        self.path: list[str] = []
        self.pieces: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._open
        self.parser.EndElementHandler = self._close
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def read(self, data: bytes) -> Found:
        """The whole document.

        Raises:
            InputError: it is not XML, or not what the format asks for.
        """
        declared = DECLARED.match(data[:400])
        utf = declared is None or declared[1].lower().startswith(b"utf")
        try:
            self.parser.Parse(as_text(data, self.where) if utf else data, True)
        except expat.ExpatError as error:
            raise InputError(
                f"{self.where}, line {error.lineno}, column {error.offset + 1}: not valid XML"
                f" ({expat.errors.messages.get(error.code, error)})"
            ) from None
        except LookupError:
            name = declared[1].decode("ascii", "replace") if declared else ""
            raise InputError(f"{self.where}: the encoding {name} is not known: save the file as UTF-8") from None
        self.found.edges, self.found.lines = self.edges, self.lines
        self.ended()
        self.found.check(self.where)
        return self.found

    def place(self) -> str:
        """File and line of the parser, for messages."""
        return f"{self.where}, line {self.line()}"

    def line(self) -> int:
        """The line of the parser."""
        return self.parser.CurrentLineNumber

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins; it is the last of ``path``."""

    def closed(self, tag: str) -> None:
        """An element ends; it is no longer in ``path``."""

    def ended(self) -> None:
        """The document ends."""

    def _doctype(self, *_: object) -> None:
        raise InputError(f"{self.place()}: a DOCTYPE (or ENTITY) is not allowed in {self.format}: delete it")

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self.path.append(tag.rpartition(" ")[2])
        if self.path[-1] in self.text_in:
            self.pieces = []
        self.opened(self.path[-1], attributes)

    def _characters(self, text: str) -> None:
        if self.path and self.path[-1] in self.text_in:
            self.pieces.append(text)

    def _close(self, _: str) -> None:
        self.closed(self.path.pop())


def typed(text: str, kind: str) -> str | int | float:
    """The value of an attribute: a number where it is announced and is one; else the text, for the caller to judge."""
    text = text.strip()
    number = {"int": int, "integer": int, "long": int, "float": float, "double": float}.get(kind)
    if number is None or "_" in text:
        return text
    try:
        return number(text)
    except ValueError:
        return text
