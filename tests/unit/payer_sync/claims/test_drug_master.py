"""The drug master: its columns, and files that are none."""

from pathlib import Path

import pytest

from loadtest.nation.claims import DRUGS, write_drug_master
from payer_sync.claims.drug_master import (
    CHANGE,
    CODE,
    FORM,
    MASTER_KIND,
    NAME,
    UNIT,
    YJ_CODE,
    MasterRefused,
    read_drugs,
)

SAMPLE = Path(__file__).parents[3] / "samples" / "drug_master" / "y_invented.csv"


def test_a_master_is_read_by_its_columns() -> None:
    drugs = list(read_drugs(SAMPLE))

    assert [(d.code, d.name, d.unit, d.form, d.active) for d in drugs] == [
        (d.code, d.name, d.unit, d.form, d.active) for d in DRUGS
    ]
    assert drugs[0].ingredient == drugs[1].ingredient == "9991001"


def test_the_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    write_drug_master(tmp_path / "y.csv")

    assert (tmp_path / "y.csv").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize(
    ("column", "text"),
    [(CHANGE, "2"), (MASTER_KIND, "S"), (CODE, "160000310"), (CODE, "62090010"), (NAME, "　"), (FORM, "2"),
     (YJ_CODE, "999")],
)  # fmt: skip
def test_a_line_of_another_form_refuses_the_file_and_says_where(tmp_path: Path, column: int, text: str) -> None:
    first, second, *_ = SAMPLE.read_text("cp932").splitlines()
    fields = second.split(",")
    fields[column] = text
    path = tmp_path / "y.csv"
    path.write_text(f"{first}\n{','.join(fields)}\n", encoding="cp932")

    with pytest.raises(MasterRefused) as refused:
        list(read_drugs(path))

    assert (refused.value.line, refused.value.column) == (2, column)


@pytest.mark.parametrize(
    "byte", [b"\x00", b"\x80", b"\xa0", b"\xfd", b"\xfe", b"\xff", b"\x81"], ids=lambda byte: byte.hex()
)
@pytest.mark.parametrize("column", [CHANGE, NAME, UNIT, YJ_CODE + 1])
def test_a_byte_that_cannot_be_read_refuses_the_file_and_its_own_line_is_told(
    tmp_path: Path, byte: bytes, column: int
) -> None:
    good = SAMPLE.read_bytes().splitlines(keepends=True)[0]
    fields = good.split(b",")
    fields[column] = b'"\x96\xf2,' + byte + b'"'  # a comma in quotes is none between columns
    path = tmp_path / "y.csv"
    path.write_bytes(good * 200 + b",".join(fields) + good * 200)

    with pytest.raises(MasterRefused) as refused:
        list(read_drugs(path))

    assert (refused.value.line, refused.value.column) == (201, column)


def test_a_line_is_told_as_the_file_counts_lines_also_after_a_name_of_two(tmp_path: Path) -> None:
    fields = SAMPLE.read_bytes().splitlines(keepends=True)[0].split(b",")
    fields[NAME] = b'"a\r\nb"'
    path = tmp_path / "y.csv"
    path.write_bytes(b",".join(fields) + b"0,Y,x\r\n")

    with pytest.raises(MasterRefused) as refused:
        list(read_drugs(path))

    assert refused.value.line == 3


@pytest.mark.parametrize("data", [b"0,Y,620900101\n", b"\x81\n", b'"\n', "薬".encode()])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(data)

    with pytest.raises(MasterRefused):
        list(read_drugs(path))
