"""Every two-byte code of cp932, through the database and back."""

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.database


def _codes() -> dict[bytes, str]:
    found = {}
    for lead in range(0x81, 0xFD):
        for trail in range(0x40, 0xFD):
            try:
                text = bytes([lead, trail]).decode("cp932")
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found[bytes([lead, trail])] = text
    return found


async def test_every_code_is_merged_and_comes_back_or_its_twin_does(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    codes = _codes()
    path = write(*(record(person, 氏名="外□字", 住所="") for person in range(len(codes))))
    header, *lines = path.read_bytes().split(b"\r\n")
    mark = "□".encode("cp932")
    path.write_bytes(
        b"\r\n".join([header, *(line.replace(mark, code) for line, code in zip(lines, codes, strict=False)), b""])
    )

    loaded = await take_in(path)

    names = [row["name"] for row in await owner.fetch("select name from coverage order by number")]
    assert len(codes) == 9604
    assert [name[1:-1] for name in names] == list(codes.values())
    apart = [code for code, text in codes.items() if text.encode("cp932") != code]
    back = await asyncio.to_thread(lambda: [name[1:-1].encode("cp932") for name in names])
    assert [code for code, again in zip(codes, back, strict=True) if again != code] == apart
    assert len(apart) == 398
    assert {code for _, code in loaded.codes} == {"gaiji"}
    assert loaded.submission.faults == 1880
