"""Documents as insurers exchange them, and documents made to harm."""

import socket
import tracemalloc
from datetime import date
from typing import NoReturn

import pytest

from loadtest.nation.checkups import Checkup, Result, cda
from loadtest.population import HeldCoverage, Nation
from payer_sync.checkups import cda as module
from payer_sync.checkups.cda import DocumentForbidden, DocumentWrong, read_document

OPEN = '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
CLOSE = "</ClinicalDocument>"
OBSERVATION = '<observation><code code="9N001000000000001"/>{}</observation>'
WEIGHT: Result = ("9N006000000000001", "PQ", "61.5", "", "kg", "40", "", "N")


@pytest.fixture(autouse=True)
def no_line_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whatever opens a socket: no document may cause a call."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)


def _document(*results: Result) -> bytes:
    person = Nation.make(20, 1, date(2026, 11, 21), 1).person(0)
    held = HeldCoverage("06130512", "１２＜&", "0000001", "03", date(2020, 1, 1), None)
    return cda(Checkup(person, held, date(2026, 6, 3), "1311234567", results or (WEIGHT,))).encode()


def _reads(body: str) -> bytes:
    return (OPEN + body + CLOSE).encode()


def test_a_document_is_read_whole() -> None:
    document = read_document(_document(WEIGHT, ("9N736000000000011", "CD", "2", "いいえ", "", "", "", "")))

    assert (document.insurer_number, document.symbol, document.number) == ("06130512", "１２＜&", "0000001")
    assert (document.branch_number, document.performed_on, document.institution_code) == (
        "03",
        "20260603",
        "1311234567",
    )
    assert len(document.birth_date) == 8
    weight, smoking = document.results
    assert (weight.value, weight.unit, weight.low, weight.high, weight.flag) == ("61.5", "kg", "40", "", "N")
    assert (smoking.kind, smoking.value, smoking.value_name, smoking.unit) == ("CD", "2", "いいえ", "")


def test_a_text_keeps_its_words_and_loses_its_line_breaks() -> None:
    text: Result = ("9N511000000000049", "ST", "所見\r\n\tあり <要> & 精査", "", "", "", "", "")

    assert read_document(_document(text)).results[0].value == "所見 あり <要> & 精査"


def test_what_is_missing_is_empty_and_left_to_the_layouts_rules() -> None:
    document = read_document(_reads(OBSERVATION.format('<value xsi:type="PQ" value="170" unit="cm"/>')))

    assert (document.insurer_number, document.number, document.birth_date, document.performed_on) == ("", "", "", "")


def test_results_within_results_are_found_and_those_not_done_are_not() -> None:
    inner = OBSERVATION.format('<value xsi:type="PQ" value="170" unit="cm"/>')
    undone = '<observation negationInd="true"><code code="9N006000000000001"/><value xsi:type="PQ"/></observation>'
    unmeasured = OBSERVATION.format('<value xsi:type="PQ" nullFlavor="NI"/>')
    nested = (
        f'<observation><code code="9N056000000000011"/><entryRelationship>{inner}</entryRelationship></observation>'
    )

    document = read_document(_reads(nested + undone + unmeasured))

    assert [(r.item_code, r.value) for r in document.results] == [("9N001000000000001", "170")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        OPEN.encode(),
        b'<?xml version="1.0" encoding="Shift_JIS"?><a/>',
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        "<a>あ</a>".encode("cp932"),
        b"<a>\x00</a>",
        b"<a>&#0;</a>",
        b"<a>&undeclared;</a>",
        b"<html/>",
        b"<ClinicalDocument/>",
        _reads(""),
        _reads('<observation><code code="9N001000000000001"/></observation>'),
    ],
)
def test_a_document_that_cannot_be_read_is_wrong_alone(content: bytes) -> None:
    with pytest.raises(DocumentWrong) as wrong:
        read_document(content)
    assert " / " in wrong.value.expected
    assert not isinstance(wrong.value, DocumentForbidden)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DECLARATIONS = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
    "quadratic blow-up": f'<!DOCTYPE a [<!ENTITY l9 "{"x" * 100_000}">]>',
    "external file": '<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "external address": '<!DOCTYPE a [<!ENTITY l9 SYSTEM "http://192.0.2.1/x">]>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://192.0.2.1/x.dtd"> %p;]>',
    "external DTD": '<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd">',
    "public DTD": '<!DOCTYPE a PUBLIC "-//W3C//DTD" "http://192.0.2.1/x.dtd">',
    "empty DTD": "<!DOCTYPE a>",
    "attribute list": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=DECLARATIONS.keys())
def test_a_declaration_refuses_the_file_before_anything_is_expanded(declaration: str, encoding: str) -> None:
    content = (declaration + OPEN + "&l9;" * 100 + CLOSE).encode(encoding)

    _refused(content)


LIMITS = {
    "deep": "<a>" * (module.MAX_DEPTH + 1) + "</a>" * (module.MAX_DEPTH + 1),
    "very deep": "<a>" * 500_000,
    "many elements": "<a/>" * (module.MAX_ELEMENTS + 1),
    "much text": "x" * (module.MAX_TEXT + 1),
    "much text in pieces": "<a>xxxxxxxxx</a>" * (module.MAX_TEXT // 9 + 1),
    "CDATA": "<![CDATA[" + "x" * (module.MAX_TEXT + 1) + "]]>",
    "many attributes": "<a " + " ".join(f'b{n}=""' for n in range(module.MAX_ATTRIBUTES + 1)) + "/>",
    "long attribute": f'<a b="{"x" * (module.MAX_VALUE + 1)}"/>',
    "long name of an element": f"<{'x' * module.MAX_NAME}/>",
    "long name of an attribute": f'<a {"x" * (module.MAX_NAME + 1)}=""/>',
    "long namespace": f'<a xmlns="{"x" * (module.MAX_NAME + 1)}"/>',
    "long namespace of nothing": f'<a xmlns:b="{"x" * (module.MAX_NAME + 1)}"/>',
}


@pytest.mark.parametrize("body", LIMITS.values(), ids=LIMITS.keys())
def test_what_is_beyond_a_limit_refuses_the_file(body: str) -> None:
    _refused(_reads(body))


@pytest.mark.parametrize(
    "body",
    ["x" * 100_000_000, f'<a xmlns="{"x" * 1_000_000}">' + "<b/>" * 50 + "</a>"],
    ids=["a hundred megabytes of text", "a megabyte of namespace for each element"],
)
def test_what_is_beyond_a_limit_is_not_kept(body: str) -> None:
    content = _reads(body)
    tracemalloc.start()
    try:
        _refused(content)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def _refused(content: bytes) -> None:
    with pytest.raises(DocumentForbidden) as forbidden:
        read_document(content)
    assert " / " in forbidden.value.expected
