"""Reads and writes the interface's XML: a parser that knows no DTD and no entity, with limits on everything."""

import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat
from xml.sax.saxutils import escape

from eligibility.domain.errors import DomainError
from terminal_agent.bridge.text import CharacterCode, Undecodable, decode, fit

ROOT: Final = "XmlMsg"
MAX_BYTES: Final = 16 * 1024 * 1024  # 10,000 persons at once have about 5
MAX_DEPTH: Final = 16  # an answer has 7
MAX_ELEMENTS: Final = 250_000  # 10,000 persons have about 90,000
MAX_ATTRIBUTES: Final = 8  # the messages have none
MAX_TEXT: Final = 2_000  # characters of one element
_PIECE: Final = 64 * 1024
_DECLARATION: Final = re.compile(rb"^\s*<\?xml\s[^>]{0,200}?\?>")
_ENCODING: Final = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_NAMES: Final = {
    "utf-8": CharacterCode.UTF_8,
    "utf8": CharacterCode.UTF_8,
    "shift_jis": CharacterCode.SHIFT_JIS,
    "shift-jis": CharacterCode.SHIFT_JIS,
    "sjis": CharacterCode.SHIFT_JIS,
    "x-sjis": CharacterCode.SHIFT_JIS,
    "windows-31j": CharacterCode.SHIFT_JIS,
    "cp932": CharacterCode.SHIFT_JIS,
    "ms932": CharacterCode.SHIFT_JIS,
}


class DocumentWrong(DomainError):
    """A file cannot be read as a message."""

    code = "unreadable"


class DocumentTooLarge(DocumentWrong):
    """A file is larger, deeper or longer than any message."""

    code = "too_large"


class DocumentForbidden(DocumentWrong):
    """A file declares a document type or entities, which no message has."""

    code = "forbidden_xml"


class DocumentIncomplete(DocumentWrong):
    """A file ends before its message does."""

    code = "incomplete"


class EncodingUnknown(DocumentWrong):
    """A file is neither UTF-8 nor Shift_JIS, or declares another encoding."""

    code = "encoding_unknown"


@dataclass(frozen=True, slots=True)
class Document:
    """A message as elements, and the encoding it came in."""

    root: Element
    character_code: CharacterCode


def parse(content: bytes) -> Document:
    """Read a message.

    Raises:
        DocumentWrong: it is no well-formed XML with the root XmlMsg, or one of the reasons above.
    """
    if len(content) > MAX_BYTES:
        raise DocumentTooLarge
    if b"\x00" in content:  # UTF-16, or no text at all
        raise EncodingUnknown
    try:
        text, code = decode(content, _declared(content))
    except Undecodable as error:
        raise EncodingUnknown from error
    root = _Parser().parse(text)
    if root.tag != ROOT:
        raise DocumentWrong
    return Document(root, code)


def fit_texts(root: Element, code: CharacterCode) -> frozenset[str]:
    """Make every text of a message writable in this encoding; return the names of the elements that lost something."""
    lost = set()
    for element in root.iter():
        if element.text:
            element.text, something = fit(element.text, code)
            if something:
                lost.add(element.tag)
    return frozenset(lost)


def serialise(root: Element, code: CharacterCode) -> bytes:
    """Write a message whose texts fit, as the field does: declaration, CRLF, one element on a line."""
    lines = [f'<?xml version="1.0" encoding="{code.en}" standalone="no"?>', *_lines(root, 0), ""]
    return "\r\n".join(lines).encode(code.codec)


def _lines(element: Element, depth: int) -> list[str]:
    # By hand, because ElementTree writes what an encoding lacks as a reference to a character, unasked.
    margin = "\t" * depth
    if len(element):
        inner = [line for child in element for line in _lines(child, depth + 1)]
        return [f"{margin}<{element.tag}>", *inner, f"{margin}</{element.tag}>"]
    if not element.text:
        return [f"{margin}<{element.tag}/>"]
    return [f"{margin}<{element.tag}>{escape(element.text)}</{element.tag}>"]


def _declared(content: bytes) -> CharacterCode | None:
    declaration = _DECLARATION.match(content.removeprefix(b"\xef\xbb\xbf"))
    if declaration is None or (named := _ENCODING.search(declaration[0])) is None:
        return None
    name = named[1].decode("ascii").lower()
    if name not in _NAMES:
        raise EncodingUnknown
    return _NAMES[name]


class _Parser:
    """One pass of expat over one document, building its elements."""

    def __init__(self) -> None:
        self._builder = ElementTree.TreeBuilder()
        self._depth = self._elements = self._text = 0
        # The text is decoded already, whatever encoding it declares.
        self._expat = expat.ParserCreate("utf-8")
        self._expat.buffer_text = True
        self._expat.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._expat.StartDoctypeDeclHandler = self._refuse_declaration
        self._expat.EntityDeclHandler = self._refuse_declaration
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters

    def parse(self, text: str) -> Element:
        """Return the root element."""
        content = text.encode()
        try:
            for start in range(0, len(content), _PIECE):
                self._expat.Parse(content[start : start + _PIECE], False)
        except expat.ExpatError as error:
            raise DocumentWrong from error
        try:
            self._expat.Parse(b"", True)
        except expat.ExpatError as error:
            raise DocumentIncomplete from error
        return self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self._text = 0
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise DocumentTooLarge
        # Attributes mean nothing here; a name's prefix neither.
        self._builder.start(tag.rpartition(":")[2], {})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._text = 0
        self._builder.end(tag.rpartition(":")[2])

    def _characters(self, text: str) -> None:
        self._text += len(text)
        if self._text > MAX_TEXT:
            raise DocumentTooLarge
        self._builder.data(text)

    def _refuse_declaration(self, *_: object) -> int:
        raise DocumentForbidden
