"""Both forms of a file come to the same records, whatever stands in them."""

import tempfile
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eligibility.domain.checkup_items import ITEMS
from eligibility.domain.codes import Sex
from eligibility.domain.identifiers import InsurerNumber
from loadtest.nation.checkups import Checkup, Result, cda, write_archive, write_csv
from loadtest.population import HeldCoverage, Nation
from payer_sync.checkups.incomplete import KEY
from payer_sync.checkups.reading import read_checked
from payer_sync.contract import Checked
from payer_sync.layouts.register import find_layout
from payer_sync.validation import Validation

TODAY = date(2026, 11, 21)
LAYOUT = find_layout("checkup", 1)
INSURER = InsurerNumber("06130512")
KEY_COLUMNS = {"記号", "番号", "枝番", "健診実施日", "健診機関番号"}
PEOPLE = Nation.make(20, 1, TODAY, 1)

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=12)
NUMBERS = st.decimals(-999, 99_999, places=2).map(str)
BOUNDS = st.one_of(st.just(""), NUMBERS)
UNITS = st.sampled_from(["mg/dL", "kg", "mmHg", "", "か月"])
CODES = st.sampled_from([*ITEMS, "5C095000002302301"])
FLAGS = st.sampled_from(["", "", "L", "N", "H", "X"])
RESULTS: st.SearchStrategy[Result] = st.one_of(
    st.tuples(CODES, st.just("PQ"), st.one_of(NUMBERS, NUMBERS, TEXTS), st.just(""), UNITS, BOUNDS, BOUNDS, FLAGS),
    st.tuples(
        CODES, st.sampled_from(["CD", "CO"]), st.sampled_from(["1", "2", "A-1", "はい", ""]), TEXTS,
        st.just(""), st.just(""), st.just(""), st.just(""),
    ),
    st.tuples(CODES, st.just("ST"), TEXTS, *[st.just("")] * 5),
)  # fmt: skip
CHECKUPS = st.builds(
    Checkup,
    person=st.integers(0, 19).map(PEOPLE.person),
    coverage=st.builds(
        HeldCoverage,
        insurer_number=st.sampled_from([*[INSURER.digits] * 5, "33120015"]),
        symbol=st.one_of(st.sampled_from(["", "１２", "12-3"]), TEXTS),
        number=st.one_of(st.sampled_from(["０００１", "0001"]), TEXTS),
        branch_number=st.sampled_from(["", "01", "02", "03", "1"]),
        acquired_on=st.just(TODAY),
        lost_on=st.none(),
    ),
    performed_on=st.integers(-30, 2200).map(lambda days: TODAY - timedelta(days=days)),
    institution_code=st.sampled_from(["1311234567", "01B0000019", "4710000019", "13"]),
    results=st.lists(RESULTS, min_size=1, max_size=4).map(tuple),
)


def _read(path: Path) -> list[Checked]:
    return list(read_checked(path, LAYOUT, INSURER, TODAY))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHECKUPS, max_size=4))
def test_the_same_check_ups_come_to_the_same_results_in_both_forms(checkups: list[Checkup]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive, table = Path(folder, "a.zip"), Path(folder, "a.csv")
        write_archive(checkups, archive)
        write_csv(checkups, table, linkage=False, encoding="utf-8")
        documents, results = _read(archive), _read(table)

    # A refused document is left out whole, of a table only its records: what remains is held back by the check-up's
    # own mark, so that what is merged in the end is compared. A record that does not tell its check-up holds others
    # back, too, which no document does.
    assert _whole(documents) >= _whole(results)
    if KEY_COLUMNS.isdisjoint(field for field, _ in _found(results)):
        assert _whole(documents) == _whole(results)
    assert _found(documents) == _found(results)


def _whole(checked: list[Checked]) -> set[tuple[object, ...]]:
    if not checked:
        return set()
    staged = pl.concat([part.staged for part in checked]).drop("record_number")
    incomplete = staged.filter(pl.col("item_code").is_null())
    return set(staged.join(incomplete, on=KEY, how="anti").rows())


def _found(checked: list[Checked]) -> set[tuple[str, str]]:
    return {(f["field"], f["code"]) for part in checked for f in part.faults.to_dicts()}


def test_a_document_is_counted_once_and_told_of_once(tmp_path: Path) -> None:
    held = HeldCoverage(INSURER.digits, "", "", "", TODAY, None)
    good: Result = ("9N006000000000001", "PQ", "60", "", "kg", "", "", "")
    wrong: Result = ("9N001000000000001", "PQ", "tall", "", "cm", "", "", "")
    write_archive([Checkup(PEOPLE.person(0), held, TODAY, "1311234567", (good, wrong, good))], tmp_path / "a.zip")

    (checked,) = _read(tmp_path / "a.zip")

    assert (checked.read, checked.refused) == (1, 1)
    assert [(f["record"], f["code"]) for f in checked.faults.to_dicts()] == [
        (1, "person_not_named"),
        (1, "result_malformed"),
    ]
    assert checked.staged["item_code"].to_list() == []


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_it_does_not_matter_how_many_documents_are_checked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("payer_sync.checkups.reading._RESULTS_AT_ONCE", at_once)
    held = HeldCoverage(INSURER.digits, "12", "1", "01", TODAY, None)
    weight: Result = ("9N006000000000001", "PQ", "60", "", "kg", "", "", "")
    days = [TODAY - timedelta(days=day) for day in range(5)]
    write_archive(
        [Checkup(PEOPLE.person(0), held, day, "1311234567", (weight,) * 2) for day in days], tmp_path / "a.zip"
    )

    checked = _read(tmp_path / "a.zip")

    assert [number for part in checked for number in part.staged["record_number"]] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert sum(part.read for part in checked) == 5


@pytest.mark.parametrize("form", ["csv", "zip"])
def test_either_form_is_validated_offline(tmp_path: Path, form: str) -> None:
    held = HeldCoverage(INSURER.digits, "12", "1", "01", TODAY, None)
    results: tuple[Result, ...] = (
        ("9N006000000000001", "PQ", "60", "", "kg", "", "", ""),
        ("9N001000000000001", "PQ", "158.2", "", "inch", "", "", ""),
    )
    checkups = [Checkup(PEOPLE.person(0), held, TODAY, "1311234567", results)]
    path = tmp_path / f"a.{form}"
    records = write_csv(checkups, path) if form == "csv" else write_archive(checkups, path)

    validation = Validation(path, LAYOUT, None, TODAY)

    assert [line.code for line in validation.lines()] == ["unit_differs"]
    assert (validation.insurer, validation.records, validation.file_refused) == (INSURER, records, False)


WEIGHT: Result = ("9N006000000000001", "PQ", "60", "", "kg", "40", "80", "")


@pytest.mark.parametrize(
    ("second", "refused"),
    [
        (("9N006000000000001", "PQ", "61", "", "kg", "40", "80", ""), "checkup_contradicts"),
        (("9N006000000000001", "PQ", "60", "", "kg", "", "80", ""), "checkup_contradicts"),
        (("9N006000000000001", "PQ", "60", "", "ｋｇ", "40", "80", ""), "checkup_contradicts"),
        (("9N006000000000001", "PQ", "60", "", "kg", "40", "80", "N"), "checkup_contradicts"),
        (("9N001000000000001", "PQ", "tall", "", "cm", "", "", ""), "checkup_incomplete"),
        (("9N006000000000001", "PQ", "60", "", "kg", "40.0", "80.00", ""), None),
        (("9N001000000000001", "PQ", "60", "", "cm", "", "", ""), None),
    ],
)
@pytest.mark.parametrize("form", ["csv", "zip"])
def test_what_the_records_of_a_check_up_say_of_each_other_is_validated_too(
    tmp_path: Path, form: str, second: Result, refused: str | None
) -> None:
    held = HeldCoverage(INSURER.digits, "12", "1", "01", TODAY, None)
    others = [Checkup(PEOPLE.person(0), held, day, "1311234567", (WEIGHT,)) for day in (TODAY, TODAY - timedelta(2))]
    checkup = Checkup(PEOPLE.person(0), held, TODAY - timedelta(1), "1311234567", (WEIGHT, second, WEIGHT))
    path = tmp_path / f"a.{form}"
    if form == "csv":
        write_csv([others[0], checkup, others[1]], path)
    else:
        write_archive([others[0], checkup, others[1]], path)

    validation = Validation(path, LAYOUT, None, TODAY)
    found = [(line.record, line.code) for line in validation.lines()]

    if refused is None:
        expected = []
    elif form == "zip":
        expected = [(2, "result_malformed" if second[2] == "tall" else refused)]
    elif second[2] == "tall":
        expected = [(3, "result_malformed"), (2, refused), (4, refused)]
    else:
        expected = [(2, refused), (3, refused), (4, refused)]
    assert found == expected
    assert validation.refused_records == len(expected)


@pytest.mark.parametrize("differs", [{"birth_date": date(1980, 1, 11)}, {"sex": Sex("3")}])
def test_a_check_up_of_two_holders_is_told_offline(tmp_path: Path, differs: dict[str, Any]) -> None:
    held = HeldCoverage(INSURER.digits, "12", "1", "01", TODAY, None)
    person = PEOPLE.person(0)
    checkups = [Checkup(who, held, TODAY, "1311234567", (WEIGHT,)) for who in (person, replace(person, **differs))]
    write_archive(checkups, tmp_path / "a.zip")

    found = [(line.record, line.code) for line in Validation(tmp_path / "a.zip", LAYOUT, None, TODAY).lines()]

    assert found == [(1, "checkup_contradicts"), (2, "checkup_contradicts")]


@pytest.mark.parametrize(
    ("form", "first"), [("csv", "0613051X"), ("csv", "33120015"), ("csv", ""), ("zip", "33120015")]
)
def test_a_mistyped_first_insurer_is_told_at_its_own_record_only(tmp_path: Path, form: str, first: str) -> None:
    checkups = [
        Checkup(PEOPLE.person(0), HeldCoverage(number, "12", "1", "01", TODAY, None), day, "1311234567", (WEIGHT,))
        for number, day in [(first, TODAY)] + [(INSURER.digits, TODAY - timedelta(n)) for n in (1, 2)]
    ]
    path = tmp_path / f"a.{form}"
    if form == "csv":
        write_csv(checkups, path)
    else:
        write_archive(checkups, path)

    validation = Validation(path, LAYOUT, None, TODAY)

    assert {line.record for line in validation.lines()} == {1}
    assert validation.insurer == INSURER


def test_every_document_of_an_archive_that_is_refused_is_checked(tmp_path: Path) -> None:
    held = HeldCoverage(INSURER.digits, "12", "1", "01", TODAY, None)
    wrong: Result = ("9N001000000000001", "PQ", "tall", "", "cm", "", "", "")
    document = cda(Checkup(PEOPLE.person(0), held, TODAY, "1311234567", (wrong,)))
    forbidden = "<!DOCTYPE a>" + document
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
        for number, content in enumerate((forbidden, "<html/>", document, "<a", forbidden), 1):
            archive.writestr(f"DATA/h{number:026}.xml", content)

    validation = Validation(path, LAYOUT, None, TODAY)

    assert [(line.record, line.code) for line in validation.lines()] == [
        (2, "document_wrong"), (3, "result_malformed"), (4, "document_wrong"), (None, "archive_entry"),
        (1, "xml_forbidden"), (5, "xml_forbidden"),
    ]  # fmt: skip
    assert (validation.insurer, validation.records, validation.file_refused) == (INSURER, 5, True)


def test_what_was_found_before_an_archive_turns_out_to_be_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"DATA/h{1:026}.xml", "<html/>")
        archive.writestr(f"DATA/h{2:026}.xml", "<damaged/>")
    path.write_bytes(path.read_bytes().replace(b"<damaged/>", b"<DAMAGED/>"))

    codes = [line.code for line in Validation(path, LAYOUT, INSURER, TODAY).lines()]

    assert codes == ["document_wrong", "archive_damaged"]


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"", "保険者番号\n".encode()])
def test_a_file_that_names_nobody_is_validated_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)

    validation = Validation(path, LAYOUT, None, TODAY)

    assert {line.severity for line in validation.lines()} <= {"file_refused"}
    assert validation.insurer is None
