"""Whole UKE files: the real sample, good and all-wrong samples with their feedback, and files that are refused."""

import json
import tracemalloc
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from eligibility.domain.codes import UsageGroup
from eligibility.domain.identifiers import InsurerNumber
from payer_sync.claims.checking import ClaimCheck
from payer_sync.claims.claim import Extracted
from payer_sync.claims.records import DISPENSING, MEDICAL, Uke
from payer_sync.faults import FaultCode, FileRefused

SAMPLES = Path(__file__).parents[3] / "samples"
TODAY = date(2026, 11, 21)
SENDER = {"medical": InsurerNumber("06130512"), "dispensing": InsurerNumber("00138057")}
KINDS = pytest.mark.parametrize("uke", [MEDICAL, DISPENSING], ids=lambda uke: uke.kind)


def _checked(check: ClaimCheck, at_once: int = 2000) -> tuple[list[Extracted], list[dict[str, object]]]:
    batches = list(check.batches(at_once))
    return [e for b in batches for e in b.receipts], [row for b in batches for row in b.faults.to_dicts()]


def _sample(uke: Uke, name: str) -> ClaimCheck:
    return ClaimCheck(SAMPLES / f"{uke.name}_{uke.edition}" / name, uke, SENDER[uke.kind], TODAY)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "RECEIPTC.UKE"


def test_the_public_sample_loads_whole(shared_data: Path) -> None:
    check = ClaimCheck(shared_data / "claims" / "RECEIPTC_GAIRAI_SAMPLE.UKE", MEDICAL, None, TODAY)
    receipts, faults = _checked(check)

    assert (check.read, check.refused, len(receipts)) == (636, 0, 75)
    assert Counter(t.record_type for e in receipts for t in e.treatments if t.record_type != "CO") == {"SI": 320}
    assert sum(len(e.medicines) for e in receipts) == 32
    assert Counter(share.position == 0 for e in receipts for share in e.shares) == {True: 69, False: 71}
    # The sample's institution is all zeros; its points and its totals add up, or there would be warnings of them.
    assert [(fault["record"], fault["code"]) for fault in faults] == [(1, "check_digit")]


def test_medicines_of_the_public_sample_have_day_dose_times_and_usage(shared_data: Path) -> None:
    check = ClaimCheck(shared_data / "claims" / "RECEIPTC_GAIRAI_SAMPLE.UKE", MEDICAL, None, TODAY)
    first = _checked(check)[0][0]

    as_needed = first.medicines[0]
    assert (as_needed.drug_code, as_needed.quantity, as_needed.days_or_times) == ("620098801", 1, 2)
    assert (as_needed.usage_group, as_needed.comment) == (UsageGroup.AS_NEEDED, "疼痛時")
    assert as_needed.medicine_on == as_needed.prescribed_on == date(2021, 10, 1)
    assert Counter(m.usage_group for m in first.medicines) == {"as_needed": 2, "external": 3, "procedure": 8}
    assert first.shares[0][2:] == ("01010016", 1, 13642, None)
    assert first.shares[1][2:] == ("83136019", 1, 677, 1354)


@KINDS
def test_a_good_sample_has_no_fault(uke: Uke) -> None:
    check = _sample(uke, "good.uke")
    receipts, faults = _checked(check)

    assert faults == []
    assert (check.refused, len(receipts)) == (0, 2)


@pytest.mark.parametrize("at_once", [1, 3, 2000])
@KINDS
def test_an_all_wrong_sample_gets_its_expected_feedback_however_it_is_cut(uke: Uke, at_once: int) -> None:
    expected = (SAMPLES / f"{uke.name}_{uke.edition}" / "all_wrong.expected.jsonl").read_text("utf-8")

    _, faults = _checked(_sample(uke, "all_wrong.uke"), at_once)

    assert faults == [json.loads(line) for line in expected.splitlines()]


@KINDS
def test_every_field_that_is_taken_is_wrong_somewhere_in_the_all_wrong_sample(uke: Uke) -> None:
    fields = {f"{name} {field.name}" for name, record in uke.records.items() for field in record.fields}

    assert {fault["field"] for fault in _checked(_sample(uke, "all_wrong.uke"))[1]} >= fields


def test_a_dispensed_medicine_has_its_days_its_quantity_and_who_prescribed_it() -> None:
    first, second = _checked(_sample(DISPENSING, "good.uke"))[0]

    assert (first.claim.prescriber_code, first.claim.prescriber_name) == ("1313456780", "処方クリニック")
    assert [(m.drug_code, m.medicine_on.day, m.quantity, m.days_or_times) for m in first.medicines[:3]] == [
        ("620900101", 4, 3, 14),
        ("620900101", 18, 3, 14),  # the same group, dispensed a second time
        ("620900401", 4, first.medicines[2].quantity, 14),
    ]
    assert str(first.medicines[2].quantity) == "1.5"
    assert {m.prescribed_on for m in first.medicines} == {date(2026, 4, 3)}
    assert [m.usage_group for m in first.medicines[-2:]] == ["oral", "external"]
    assert [(t.record_type, t.code, t.quantity) for t in first.treatments] == [("TO", "710010001", 2)]
    assert second.medicines[0].usage_group == "as_needed"


@KINDS
def test_wareki_is_read_like_western_dates(uke: Uke) -> None:
    western, wareki = _checked(_sample(uke, "good.uke"))[0]

    assert wareki.claim.care_month == western.claim.care_month == date(2026, 4, 1)
    assert wareki.claim.birth_date == western.claim.birth_date == date(1980, 1, 15)


IR = "IR,1,13,1,2345679,,見本,202605"
RE = "RE,1,1112,202604,見本,1,19800115"
HO = "HO,06130512,1,2,1,0"
GO = b"GO,0,0,99\r\n"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", FaultCode.TOTALS_MISSING),
        (IR.encode("cp932"), FaultCode.TOTALS_MISSING),
        ("\r\n".join((IR, RE, HO)).encode("cp932"), FaultCode.TOTALS_MISSING),
        (b"IR,1\x00\r\n" + GO, FaultCode.NUL_BYTE),
        (IR.encode("utf-8"), FaultCode.ENCODING_UNKNOWN),
        (IR.encode("cp932")[:-9] + b"\x82\r\n" + GO, FaultCode.BYTES_UNDECODABLE),  # half a character
        (b"IR,1,13,1,2345679,,\xff,202605\r\n" + GO, FaultCode.BYTES_UNDECODABLE),  # a byte cp932 leaves undefined
        (b"\xef\xbb\xbf" + IR.encode("utf-8"), FaultCode.ENCODING_UNKNOWN),
        (b"I" * 70_000, FaultCode.LINE_TOO_LONG),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_refused(written: Path, data: bytes, code: FaultCode) -> None:
    written.write_bytes(data)

    with pytest.raises(FileRefused) as refused:
        _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    assert [fault.code for fault in refused.value.faults] == [code]


def test_every_line_that_cannot_be_read_is_named_with_its_byte_and_all_others_are_checked(written: Path) -> None:
    lines = (
        IR.replace("見本", "\xff"), "RE,1,1112,202604,\xff,9,19800115", HO, "SI,12,1,x\x00,,5,1",
        "XX,1", "RE,2,1112,202604,x,9,19800115", HO.replace(",1,0", ",1,7\x80"), "GO,2,1,99",
    )  # fmt: skip
    written.write_bytes("\r\n".join(lines).encode("latin-1"))
    check = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY)

    with pytest.raises(FileRefused) as refused:
        _checked(check)

    assert [(f.record, f.code, f.said.split(" / ")[1].split(":")[0]) for f in refused.value.faults] == [
        (1, FaultCode.BYTES_UNDECODABLE, "line 1, byte 20"),
        (2, FaultCode.BYTES_UNDECODABLE, "line 2, byte 18"),
        (4, FaultCode.NUL_BYTE, "line 4, byte 10"),
        (7, FaultCode.BYTES_UNDECODABLE, "line 7, byte 20"),
    ]
    # A field that can be read is judged, one that cannot be is not, and totals that lack a line are not compared.
    assert check.rest().select("record", "code").rows() == [
        (2, "unknown_code"), (5, "record_type_unknown"), (6, "unknown_code"),
    ]  # fmt: skip
    assert (check.read, check.refused) == (8, 6)


@pytest.mark.parametrize(
    "spoilt", ["X\xff,1", "RE,\x00", "IR,1,\xff", "GO,\xff,0,99", "HO,\xff", "IY,,,\xff,1" + ",1\xff" * 40, "\xff"]
)
@pytest.mark.parametrize("at", range(4))
def test_wherever_a_line_cannot_be_read_the_file_is_read_to_its_end(written: Path, spoilt: str, at: int) -> None:
    lines = [line.encode("cp932") for line in (IR, RE, HO, "GO,1,0,99") * 2]
    lines.insert(at, spoilt.encode("latin-1"))
    written.write_bytes(b"\r\n".join(lines))
    check = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY)

    with pytest.raises(FileRefused) as refused:
        _checked(check)

    assert ([fault.record for fault in refused.value.faults], check.read) == ([at + 1], len(lines))


def test_what_was_found_before_the_file_broke_off_can_still_be_told(written: Path) -> None:
    written.write_bytes("\r\n".join((IR, RE.replace(",1,1980", ",9,1980"), HO, RE)).encode("cp932"))
    check = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY)

    with pytest.raises(FileRefused):
        _checked(check)

    assert check.rest()["code"].to_list() == ["unknown_code"]


def test_an_end_of_file_mark_and_a_missing_last_line_end_are_no_faults(written: Path) -> None:
    for end in ("\r\n\x1a", ""):
        written.write_bytes(("\r\n".join((IR, RE, HO, "GO,1,0,99")) + end).encode("cp932"))
        receipts, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))
        assert (len(receipts), faults) == (1, [])


YK = "YK,1,13,4,2345673,見本薬局,202605"
DISPENSED = ("RE,1,4112,202604,見本,2,19800110", "HO,06130512,12,0000001,1,20", "SH,1,1,1", "TO,1,710010001,3,001")
CZ = "CZ,1,20260401,20260401,,{}"


@pytest.mark.parametrize(
    ("lines", "line", "field"),
    [
        ([CZ.format(1)] * 100, 105, "CZ レコード識別"),
        ([CZ.format(999_999_999)] * 3, 8, "CZ 調剤数量"),
        ([CZ.format(1), *["CO,810000001,x"] * 20_000], 20_002, "レコード識別"),
    ],
)
def test_a_receipt_beyond_all_bounds_is_refused_alone(written: Path, lines: list[str], line: int, field: str) -> None:
    good = (DISPENSED[0].replace("RE,1", "RE,2"), *DISPENSED[1:], CZ.format(1))
    written.write_bytes("\r\n".join((YK, *DISPENSED, *lines, *good, "GO,2,40,99")).encode("cp932"))
    check = ClaimCheck(written, DISPENSING, SENDER["medical"], TODAY)

    receipts, faults = _checked(check)

    assert [(f["record"], f["field"], f["code"]) for f in faults] == [(line, field, "receipt_too_large")]
    assert (len(receipts), check.refused) == (1, len(DISPENSED) + len(lines))


SI = "SI,12,1,112007410,,73,1" + "," * 7
WRONG = "SI,x,1,x,x,x,x"
MEDICINE = "IY,21,1,620000001,1,,1" + "," * 7


def _april(*days: str) -> str:
    return ",".join([*days, *[""] * (31 - len(days))])


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (_april("　", " 1", "1 ", *[" "] * 28), None),
        (_april("0", "1", "1", *["000"] * 28), None),
        (_april("", "1", "1", *["0"] * 27, "1"), ("算定日31日", "other_day", "9", "a day of the month of care")),
        (
            _april("1", "x1", "１"),
            ("算定日2日", "malformed_number", "A9", "at most three digits; so on 1 other days of this record"),
        ),
        (_april("1", "1000"), ("算定日2日", "malformed_number", "9999", "how often on that day, at most three digits")),
    ],
    ids=["padded", "none on other days", "a day the month lacks", "two wrong", "too many"],
)
def test_what_is_wrong_with_the_days_of_a_record_is_one_fault(
    written: Path, days: str, told: tuple[str, ...] | None
) -> None:
    written.write_bytes("\r\n".join((IR, RE, HO.replace(",1,0", ",1,73"), SI + days, "GO,1,73,99")).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    if told is None:
        assert ([[day.day for day in t.days] for e in receipts for t in e.treatments], faults) == ([[2, 3]], [])
    else:
        name, code, drawn, said = told
        (fault,) = faults
        assert (receipts, fault["record"], fault["field"]) == ([], 4, f"SI {name}")
        assert (fault["code"], fault["value_shape"]) == (code, drawn)
        assert str(fault["expected"]).endswith(said)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([RE, *[WRONG] * 1_000] * 20, id="records of receipts"),
        pytest.param([IR.replace("IR,1,13,1", "IR,x,x,x").replace("202605", "x")] * 20_000, id="institutions"),
    ],
)
def test_a_batch_holds_so_many_faults_and_those_of_one_receipt_at_most(written: Path, lines: list[str]) -> None:
    written.write_bytes("\r\n".join((IR, *lines, "GO,0,0,99")).encode("cp932"))

    faults = [len(batch.faults) for batch in ClaimCheck(written, MEDICAL, None, TODAY).batches()]

    assert sum(faults) > 60_000
    assert max(faults) < 60_000


def test_a_batch_holds_so_many_medicines_and_those_of_one_receipt_at_most(written: Path) -> None:
    receipt = [RE, HO, *[MEDICINE + _april(*["1"] * 30)] * 500]
    lines = [line.replace("RE,1", f"RE,{number}") for number in range(1, 9) for line in receipt]
    written.write_bytes("\r\n".join((IR, *lines, "GO,8,0,99")).encode("cp932"))

    batches = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY).batches()
    medicines = [sum(len(e.medicines) for e in batch.receipts) for batch in batches]

    assert sum(medicines) == 8 * 500 * 30
    assert max(medicines) < 120_000


def test_a_file_of_another_kind_is_refused_before_it_is_read_through(written: Path) -> None:
    written.write_bytes("".join(f"1,06130512,{n}\r\n" for n in range(100_000)).encode("cp932"))
    check = ClaimCheck(written, MEDICAL, None, TODAY)

    with pytest.raises(FileRefused) as refused:
        _checked(check)

    assert [fault.code for fault in refused.value.faults] == [FaultCode.TOTALS_MISSING]
    assert check.read < 20_000


def test_several_institutions_may_stand_in_one_file(written: Path) -> None:
    block = (IR, RE, HO, "GO,1,0,99")
    other = (IR.replace("2345679", "3456780"), *block[1:])
    written.write_bytes("\r\n".join((*block, *other)).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    assert ([e.claim.institution_code for e in receipts], faults) == (["1312345679", "1313456780"], [])


def test_a_reviewer_may_send_receipts_of_any_insurer_and_of_none(written: Path) -> None:
    public = ("RE,2,1212,202604,見本,1,19800115", "KO,12136013,1,,1,0")
    written.write_bytes("\r\n".join((IR, RE, HO, *public, "GO,2,0,99")).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, None, TODAY))

    assert [e.claim.insurer_number for e in receipts] == ["06130512", None]
    assert [fault for fault in faults if fault["severity"] != "warning"] == []


def test_a_receipt_of_long_lines_takes_no_more_memory_than_their_tables_have_fields(written: Path) -> None:
    lines = (SAMPLES / "claim_medical_1" / "good.uke").read_bytes().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if line.startswith(b"SI,"))
    long = (lines[place].rstrip(b"\r\n") + b",ab" * 10_000 + b"\r\n", b"SI," + b"9" * 30_000 + b"\r\n")
    written.write_bytes(b"".join([*lines[:place], *long * 50, *lines[place:]]))
    check = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY)
    tracemalloc.start()
    try:
        _checked(check)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert check.read == len(lines) + 100


@pytest.mark.parametrize(
    ("uke", "lines"),
    [
        (
            MEDICAL,
            [
                *(IR, RE, HO, "CO,21,1,820000001,"),
                *[MEDICINE.replace("21", "")] * 300,
                *["CO,,1,810000001," + "x" * 400] * 300,
                "GO,1,0,99",
            ],
        ),
        (
            DISPENSING,
            [
                *(YK, *DISPENSED[:3]),
                *["IY,1,620000001,3"] * 300,
                *["CO,810000001," + "x" * 400] * 300,
                *(CZ.format(1), "GO,1,20,99"),
            ],
        ),
    ],
    ids=["medical", "dispensing"],
)
def test_the_comments_of_a_group_are_kept_once_for_all_its_medicines(written: Path, uke: Uke, lines: list[str]) -> None:
    written.write_bytes("\r\n".join(lines).encode("cp932"))
    check = ClaimCheck(written, uke, SENDER["medical"], TODAY)
    tracemalloc.start()
    try:
        receipts, _ = _checked(check)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert [len(m.comment or "") for m in receipts[0].medicines] == [300 * 401 - 1] * 300


def test_of_each_receipt_no_more_is_kept_than_tells_it_from_others(written: Path) -> None:
    number = 1_000
    with written.open("w", encoding="cp932") as file:
        file.write(f"{IR}\n")
        for receipt in range(number):
            file.write(f"RE,1,1112,202604,,1,19800115{',' * 12}{receipt:040}\n{HO}\n")
        file.write(f"GO,{number},0,99\n")
    check = ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY)
    batches = check.batches(at_once=100)
    read = len(next(batches).receipts)
    tracemalloc.start()
    try:
        for batch in batches:
            read += len(batch.receipts)
        del batch
        assert tracemalloc.get_traced_memory()[0] < 160 * number
    finally:
        tracemalloc.stop()
    assert (read, check.read) == (number, 2 * number + 2)


@pytest.mark.parametrize(
    ("month", "claimed", "day", "told"),
    [
        ("202611", "202611", 21, []),  # today
        ("202611", "202611", 22, [FaultCode.CARE_IN_FUTURE]),
        ("202611", "202612", 0, []),  # no day stated
        ("202612", "202612", 0, [FaultCode.CARE_IN_FUTURE]),
        ("206204", "202605", 10, [FaultCode.CARE_IN_FUTURE]),
        ("56204", "50805", 10, [FaultCode.CARE_IN_FUTURE]),
        ("202606", "202605", 10, [FaultCode.CARE_IN_FUTURE]),  # claimed before it was given
    ],
)
def test_care_after_today_or_after_the_month_of_claim_refuses_its_receipt(
    written: Path, month: str, claimed: str, day: int, told: list[FaultCode]
) -> None:
    treated = ["SI", "12", "1", "112007410", "", "0", "1", *[""] * 37]
    if day:
        treated[12 + day] = "1"
    lines = (IR.replace("202605", claimed), RE.replace("202604", month), HO, ",".join(treated), "GO,1,0,99")
    written.write_bytes("\r\n".join(lines).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    assert [fault["code"] for fault in faults] == told
    assert len(receipts) == (0 if told else 1)
    assert {(fault["record"], fault["field"]) for fault in faults} <= {(2, "RE 診療年月")}


def test_dispensing_after_today_refuses_its_receipt() -> None:
    sample = SAMPLES / "claim_dispensing_1" / "good.uke"

    receipts, faults = _checked(ClaimCheck(sample, DISPENSING, SENDER["dispensing"], date(2026, 4, 10)))

    assert [extracted.claim.care_through for extracted in receipts] == [date(2026, 4, 1)]
    assert [(fault["code"], fault["field"]) for fault in faults] == [("care_in_future", "RE 調剤年月")]


@pytest.mark.parametrize("given", ["IY,1,620900101,3", "TO,1,710010001,3,001"])
def test_whatever_a_pharmacy_dispenses_its_days_are_days_of_care(written: Path, given: str) -> None:
    dispensed = [CZ.format(1).replace("0401,,", f"04{day},,") for day in ("04", "20")]
    written.write_bytes("\r\n".join((YK, *DISPENSED[:-1], given, *dispensed, "GO,1,20,99")).encode("cp932"))

    ((extracted,), _) = _checked(ClaimCheck(written, DISPENSING, SENDER["medical"], date(2026, 4, 20)))
    refused, faults = _checked(ClaimCheck(written, DISPENSING, SENDER["medical"], date(2026, 4, 19)))

    assert extracted.claim.care_days == [date(2026, 4, 4), date(2026, 4, 20)]
    assert (refused, [fault["code"] for fault in faults]) == ([], ["care_in_future"])


@pytest.mark.parametrize(("search", "told"), [("S-1", [4]), ("", [])])
def test_a_search_number_twice_in_a_file_is_refused_though_the_months_differ(
    written: Path, search: str, told: list[int]
) -> None:
    head = ",".join([RE, *[""] * 11, search])
    lines = (IR, head, HO, head.replace("202604", "202603"), HO, "GO,2,0,99")
    written.write_bytes("\r\n".join(lines).encode("cp932"))

    _, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    assert [(fault["record"], fault["code"]) for fault in faults] == [(line, "receipt_repeated") for line in told]


@pytest.mark.parametrize("search", ["", "S-1"])
@pytest.mark.parametrize(
    ("head", "insured"),
    [
        (RE, HO.replace("06130512", "33120015")),
        (RE, HO.replace(",1,2,", ",3,2,")),
        (RE, HO.replace(",1,2,", ",1,3,")),
        (RE.replace("19800115", "19800116"), HO),
        (RE, "KO,12136013,1,,1,0"),
        (RE, HO),
    ],
    ids=["insurer", "symbol", "number", "birth date", "no insurer", "none"],
)
def test_a_receipt_number_twice_in_a_file_is_refused_for_the_same_holder_only(
    written: Path, head: str, insured: str, search: str
) -> None:
    first, second = (",".join([each, *[""] * 11, search]) for each in (RE, head))
    lines = (IR, first, HO, "GO,1,0,99", IR, second, insured, "GO,1,0,99")
    written.write_bytes("\r\n".join(lines).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, None, TODAY))

    repeated = bool(search) or (head, insured) == (RE, HO)
    told = [(fault["record"], fault["code"]) for fault in faults if fault["code"] != "check_digit"]
    assert (len(receipts), told) == ((1, [(6, "receipt_repeated")]) if repeated else (2, []))


def test_a_receipt_with_a_record_of_its_return_is_taken_and_told(written: Path) -> None:
    written.write_bytes("\r\n".join((IR, RE, HO, "HR,1,01,x", "GO,1,0,99")).encode("cp932"))

    receipts, faults = _checked(ClaimCheck(written, MEDICAL, SENDER["medical"], TODAY))

    assert (len(receipts), [(fault["record"], fault["code"]) for fault in faults]) == (1, [(4, "return_recorded")])
