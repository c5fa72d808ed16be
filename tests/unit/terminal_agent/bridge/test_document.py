import json
import os
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.bridge.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_TEXT,
    DocumentForbidden,
    DocumentIncomplete,
    DocumentTooLarge,
    DocumentWrong,
    EncodingUnknown,
    fit_texts,
    parse,
    serialise,
)
from terminal_agent.bridge.text import CharacterCode

GOOD = "<XmlMsg><A>診療</A></XmlMsg>"


@pytest.mark.parametrize("name", ["Shift_JIS", "shift_jis", "Windows-31J", "SJIS", "MS932", "x-sjis"])
def test_shift_jis_under_each_of_its_names(name: str) -> None:
    read = parse(f"<?xml version='1.0' encoding='{name}' standalone='no'?>\r\n{GOOD}".encode("cp932"))
    assert (read.character_code, read.root.findtext("A")) == (CharacterCode.SHIFT_JIS, "診療")


@pytest.mark.parametrize(
    "content", [GOOD.encode(), b"\xef\xbb\xbf" + GOOD.encode(), f'<?xml version="1.0"?>{GOOD}'.encode()]
)
def test_utf_8_with_and_without_its_mark(content: bytes) -> None:
    assert parse(content).character_code is CharacterCode.UTF_8


def _nested(depth: int) -> str:
    return "<XmlMsg>" + "<A>" * depth + "</A>" * depth + "</XmlMsg>"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", DocumentIncomplete),
        (b"   \r\n", DocumentIncomplete),
        (GOOD.encode()[:-1], DocumentIncomplete),
        (GOOD.encode()[:20], DocumentIncomplete),
        (b"<XmlMsg><A></B></XmlMsg>", DocumentWrong),
        (b"<XmlMsg/><XmlMsg/>", DocumentWrong),
        (b"<Other/>", DocumentWrong),
        (b"no xml at all", DocumentWrong),
        (b"<XmlMsg>&nbsp;</XmlMsg>", DocumentWrong),
        (b"<XmlMsg>&#0;</XmlMsg>", DocumentWrong),
        (b"<XmlMsg>&#xD800;</XmlMsg>", DocumentWrong),
        (b"<XmlMsg \x01='1'/>", DocumentWrong),
        (b"<!DOCTYPE XmlMsg><XmlMsg/>", DocumentForbidden),
        (b'<!DOCTYPE XmlMsg SYSTEM "file:///etc/passwd"><XmlMsg/>', DocumentForbidden),
        (b'<!DOCTYPE XmlMsg [<!ENTITY a "b">]><XmlMsg>&a;</XmlMsg>', DocumentForbidden),
        (b'<!DOCTYPE XmlMsg [<!ENTITY % a SYSTEM "http://127.0.0.1:9/">%a;]><XmlMsg/>', DocumentForbidden),
        (_nested(MAX_DEPTH).encode(), DocumentTooLarge),
        (_nested(100_000).encode(), DocumentTooLarge),
        (b"<XmlMsg>" + b"<A/>" * MAX_ELEMENTS + b"</XmlMsg>", DocumentTooLarge),
        (b"<XmlMsg><A>" + b"a" * (MAX_TEXT + 1) + b"</A></XmlMsg>", DocumentTooLarge),
        (b"<XmlMsg a='' b='' c='' d='' e='' f='' g='' h='' i=''/>", DocumentTooLarge),
        (b"<XmlMsg>" + b" " * MAX_BYTES + b"</XmlMsg>", DocumentTooLarge),
        (GOOD.encode("utf-16"), EncodingUnknown),
        (f"<?xml version='1.0' encoding='UTF-16'?>{GOOD}".encode(), EncodingUnknown),
        (f"<?xml version='1.0' encoding='EUC-JP'?>{GOOD}".encode("euc-jp"), EncodingUnknown),
        (f"<?xml version='1.0' encoding='UTF-8'?>{GOOD}".encode("cp932"), EncodingUnknown),
        (b"\x00\x01\x02\x03", EncodingUnknown),
        (b"\x7fELF" + bytes(range(256)), EncodingUnknown),
        (b"PK\x03\x04" + b"\xff" * 30, EncodingUnknown),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(content: bytes, kind: type[DocumentWrong]) -> None:
    with pytest.raises(kind) as refused:
        parse(content)
    assert type(refused.value) is kind


def test_billion_laughs_are_not_laughed() -> None:
    laughs = '<!DOCTYPE XmlMsg [<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};">'
        for n in range(1, 30)
    )
    with pytest.raises(DocumentForbidden):
        parse(f"{laughs}]><XmlMsg>&a29;</XmlMsg>".encode())


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    for wrapped in (content, b"<XmlMsg>" + content + b"</XmlMsg>"):
        try:
            parse(wrapped)
        except DocumentWrong:
            continue


def test_naughty_strings_come_back_as_they_were_or_as_black_circles(shared_data: Path) -> None:
    for code in CharacterCode:
        for text in json.loads((shared_data / "naughty_strings.json").read_text()):
            root = Element("XmlMsg")
            SubElement(root, "A").text = text
            fit_texts(root, code)
            written = root.findtext("A") or ""
            read = parse(serialise(root, code))
            # XML itself turns a return into a new line.
            assert (read.root.findtext("A") or "") == written.replace("\r\n", "\n").replace("\r", "\n")


def test_what_lost_something_is_named() -> None:
    root = Element("XmlMsg")
    SubElement(root, "Name").text = "𠮷田"
    SubElement(root, "Address").text = "東京都"
    assert fit_texts(root, CharacterCode.SHIFT_JIS) == {"Name"}
    assert "●田".encode("cp932") in serialise(root, CharacterCode.SHIFT_JIS)


def test_a_message_is_written_as_the_field_does() -> None:
    root = Element("XmlMsg")
    SubElement(root, "A").text = "<&>"
    SubElement(root, "B")
    assert serialise(root, CharacterCode.SHIFT_JIS).decode("cp932").splitlines() == [
        '<?xml version="1.0" encoding="Shift_JIS" standalone="no"?>',
        "<XmlMsg>",
        "\t<A>&lt;&amp;&gt;</A>",
        "\t<B/>",
        "</XmlMsg>",
    ]
    assert os.linesep == "\n"
    assert serialise(root, CharacterCode.UTF_8).count(b"\r\n") == 5
