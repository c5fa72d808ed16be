"""Reads a check-up from an HL7 CDA document: a parser that knows no DTD and no entity, with limits on everything.

The identifiers' roots 1.2.392.200119.6.101 (insurer), .204 (symbol), .205 (number) and .102 (institution) are those in
use. For the branch number we know of none: the one read here is this platform's own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat

from payer_sync.faults import both

MAX_DEPTH: Final = 64  # a check-up has about 15
MAX_ELEMENTS: Final = 50_000
MAX_ATTRIBUTES: Final = 32  # of one element
MAX_TEXT: Final = 256 * 1024  # characters between tags, of one document
MAX_VALUE: Final = 4096  # characters of one attribute
MAX_NAME: Final = 256  # characters of an element's or attribute's name with its namespace, which each of them has anew
_PIECE_BYTES: Final = 64 * 1024
_LINES: Final = re.compile(r"[\t\r\n]+")  # of a text; what it is broken into is the document's own layout
_NAMESPACE: Final = "{urn:hl7-org:v3}"
_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ROOT: Final = "1.2.392.200119.6."
_INSURER, _INSTITUTION, _SYMBOL, _NUMBER = (_ROOT + end for end in ("101", "102", "204", "205"))
BRANCH_NUMBER_ROOT: Final = "2.25.186234363906999469939014982900822867216"


@dataclass(frozen=True, slots=True)
class Result:
    """One result as the texts of the check-up layout."""

    item_code: str
    kind: str
    value: str
    value_name: str
    unit: str
    low: str
    high: str
    flag: str


@dataclass(frozen=True, slots=True)
class Document:
    """One check-up as the texts of the check-up layout; what the document does not say is empty."""

    insurer_number: str
    symbol: str
    number: str
    branch_number: str
    birth_date: str
    sex: str
    performed_on: str
    institution_code: str
    results: tuple[Result, ...]


class DocumentWrong(Exception):
    """A document cannot be read; its fault says why. The others of its archive can."""

    def __init__(self, ja: str, en: str) -> None:
        super().__init__(en)
        self.expected = both(ja, en)


class DocumentForbidden(DocumentWrong):
    """A document declares a type or entities, or is beyond the limits: no archive may have it."""


def read_document(content: bytes) -> Document:
    """Read one document.

    Raises:
        DocumentForbidden: it declares a document type or entities, or is beyond the limits.
        DocumentWrong: it is not well formed, no CDA document, or without any result.
    """
    root = _Parser().parse(content)
    if root.tag != f"{_NAMESPACE}ClinicalDocument":
        raise DocumentWrong("ルートが ClinicalDocument の HL7 CDA", "HL7 CDA with the root ClinicalDocument")
    results = tuple(_results(root))
    if not results:
        raise DocumentWrong("結果が一つ以上ある文書", "a document with at least one result")
    patient = _at(root, "recordTarget/patientRole")
    event = _at(root, "documentationOf/serviceEvent")
    place = _at(event, "performer/assignedEntity/representedOrganization")
    author = _at(root, "author/assignedAuthor/representedOrganization")
    return Document(
        insurer_number=_extension(patient, _INSURER),
        symbol=_extension(patient, _SYMBOL),
        number=_extension(patient, _NUMBER),
        branch_number=_extension(patient, BRANCH_NUMBER_ROOT),
        birth_date=_attribute(patient, "patient/birthTime", "value")[:8],
        sex=_attribute(patient, "patient/administrativeGenderCode", "code"),
        performed_on=_performed_on(event),
        institution_code=_extension(place, _INSTITUTION) or _extension(author, _INSTITUTION),
        results=results,
    )


class _Parser:
    """One pass of expat over one document, building its elements."""

    def __init__(self) -> None:
        self._builder = ElementTree.TreeBuilder()
        self._depth = self._elements = self._text = 0
        # Namespaces are resolved; nothing is ever fetched, because no handler for external entities is set.
        self._expat = expat.ParserCreate(namespace_separator="}")
        self._expat.buffer_text = True
        self._expat.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._expat.StartDoctypeDeclHandler = self._refuse_declaration
        self._expat.EntityDeclHandler = self._refuse_declaration
        self._expat.ExternalEntityRefHandler = self._refuse_declaration
        self._expat.StartNamespaceDeclHandler = self._start_namespace
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters

    def parse(self, content: bytes) -> ElementTree.Element:
        """Return the root element."""
        try:
            for start in range(0, len(content), _PIECE_BYTES):
                self._expat.Parse(content[start : start + _PIECE_BYTES], False)
            self._expat.Parse(b"", True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise DocumentWrong("整形式の XML(UTF-8)", "well-formed XML in UTF-8") from error
        return self._builder.close()

    def _start_namespace(self, _: str | None, uri: str | None) -> None:
        # Told before any name has it: a declaration is no attribute, but lengthens every name below it.
        if uri and len(uri) > MAX_NAME:
            raise _long_name()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH:
            raise DocumentForbidden(f"{MAX_DEPTH}段以内の入れ子", f"at most {MAX_DEPTH} levels")
        if self._elements > MAX_ELEMENTS:
            raise DocumentForbidden(f"{MAX_ELEMENTS:,}以内の要素", f"at most {MAX_ELEMENTS:,} elements")
        if len(attributes) > MAX_ATTRIBUTES or (attributes and max(map(len, attributes.values())) > MAX_VALUE):
            raise DocumentForbidden(
                f"{MAX_ATTRIBUTES}以内、各{MAX_VALUE:,}文字以内の属性",
                f"at most {MAX_ATTRIBUTES} attributes of {MAX_VALUE:,} characters",
            )
        if max(map(len, (tag, *attributes))) > MAX_NAME:
            raise _long_name()
        self._builder.start(_clark(tag), {_clark(name): value for name, value in attributes.items()})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_clark(tag))

    def _characters(self, text: str) -> None:
        self._text += len(text)
        if self._text > MAX_TEXT:
            raise DocumentForbidden(f"{MAX_TEXT:,}文字以内の本文", f"at most {MAX_TEXT:,} characters of text")
        self._builder.data(text)

    def _refuse_declaration(self, *_: object) -> int:
        raise DocumentForbidden("DOCTYPE と実体宣言がないこと", "no DOCTYPE and no entities")


def _long_name() -> DocumentForbidden:
    return DocumentForbidden(
        f"名前空間を含めて{MAX_NAME}文字以内の要素名・属性名",
        f"names of at most {MAX_NAME} characters with their namespace",
    )


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def _results(root: ElementTree.Element) -> Iterator[Result]:
    for observation in root.iter(f"{_NAMESPACE}observation"):
        code = observation.find(f"{_NAMESPACE}code")
        value = observation.find(f"{_NAMESPACE}value")
        if code is None or value is None:
            continue  # a heading that holds others
        if value.get("nullFlavor") or observation.get("negationInd") == "true":
            continue  # not done, or not measurable: no result, and said so
        kind = value.get(_TYPE, "").rpartition(":")[2]
        quantity, text = kind == "PQ", kind == "ST"
        value_range = _at(observation, "referenceRange/observationRange/value")
        yield Result(
            item_code=code.get("code", ""),
            kind=kind,
            value=_LINES.sub(" ", "".join(value.itertext()))
            if text
            else value.get("value" if quantity else "code", ""),
            value_name="" if quantity or text else value.get("displayName", ""),
            unit=value.get("unit", "") if quantity else "",
            low=_attribute(value_range, "low", "value"),
            high=_attribute(value_range, "high", "value"),
            flag=_attribute(observation, "interpretationCode", "code"),
        )


def _performed_on(event: ElementTree.Element | None) -> str:
    return (_attribute(event, "effectiveTime", "value") or _attribute(event, "effectiveTime/low", "value"))[:8]


def _at(element: ElementTree.Element | None, path: str) -> ElementTree.Element | None:
    return None if element is None else element.find("/".join(_NAMESPACE + step for step in path.split("/")))


def _attribute(element: ElementTree.Element | None, path: str, name: str) -> str:
    found = _at(element, path)
    return "" if found is None else found.get(name, "")


def _extension(element: ElementTree.Element | None, root: str) -> str:
    found = () if element is None else element.iterfind(f"{_NAMESPACE}id")
    return next((one.get("extension", "") for one in found if one.get("root") == root), "")
