from datetime import date
from xml.etree.ElementTree import Element

from eligibility.domain.codes import Sex
from terminal_agent.records.patient import Patient
from terminal_agent.records.xml import RecordHeader, checkup_message, error_message, medication_message
from tests.unit.terminal_agent.records.histories import (
    AS_OF,
    CLINIC,
    HOSPITAL,
    PHARMACY,
    SBP,
    long_checkups,
    long_medication,
    medication_history,
    medicine,
)

PATIENT = Patient("髙橋　花子", "ﾀｶﾊｼ ﾊﾅｺ", date(1985, 4, 12), Sex.FEMALE)
HEADER = RecordHeader(CLINIC, "ABC", AS_OF, "0")


def _read(root: Element, path: str) -> list[str]:
    return [found.text or "" for found in root.iterfind(path)]


def test_medicines_stand_where_readers_look() -> None:
    root = medication_message(long_medication(), PATIENT, HEADER)
    assert root.tag == "XmlMsg"
    assert _read(root, ".//ResultCode") == ["1"]
    assert _read(root, "MessageHeader/QuaInf/Name") == ["髙橋　花子"]
    assert _read(root, "MessageHeader/QuaInf/KanaName") == ["ﾀｶﾊｼ ﾊﾅｺ"]
    assert _read(root, "MessageHeader/QuaInf/Birth") == ["19850412"]
    assert _read(root, "MessageHeader/QuaInf/AdmGendCode") == ["2"]
    months = root.findall("MessageBody/MeTrMonthInf")
    assert [month.findtext("MeTrMonth") for month in months] == sorted(
        (month.findtext("MeTrMonth") for month in months), key=str, reverse=True
    )
    drugs = _read(root, "MessageBody/MeTrMonthInf/DiDateInfs/DiDateInf/DrugInfs/DrugInf/DrugC")
    assert len(drugs) == len(long_medication().medicines)
    assert _read(root, ".//DrugInf[DrugC='699999999']/DrugN") == ["699999999"]
    assert _read(root, ".//DrugInf[DrugC='699999999']/Qua1") == []


def test_institution_prescriber_and_whether_they_are_this_one() -> None:
    history = medication_history(
        medicine(date(2026, 10, 1)),
        medicine(date(2026, 10, 1), prescriber_code=HOSPITAL, prescriber_name="架空総合病院", institution_code=CLINIC),
    )
    found = {
        (month.findtext("MeTrDiHCd"), month.findtext("PrlsHCd"), month.findtext("DiOrg"), month.findtext("PrIsOrg"))
        for month in medication_message(history, PATIENT, HEADER).iterfind("MessageBody/MeTrMonthInf")
    }
    assert found == {(PHARMACY, CLINIC, "2", "1"), (CLINIC, HOSPITAL, "1", "2")}


def test_a_day_that_is_not_stated_is_not_made_up() -> None:
    root = medication_message(medication_history(medicine(date(2026, 10, 1), day_stated=False)), PATIENT, HEADER)
    assert _read(root, ".//DiDate") == []
    assert _read(root, ".//MeTrMonth") == ["202610"]


def test_checkups_stand_where_readers_look() -> None:
    root = checkup_message(long_checkups(), PATIENT, HEADER)
    assert _read(root, "/XmlMsg/MessageHeader/QualificationsInfo/Name".removeprefix("/XmlMsg/")) == ["髙橋　花子"]
    assert _read(root, "MessageHeader/QualificationsInfo/KanasName") == ["ﾀｶﾊｼ ﾊﾅｺ"]
    assert _read(root, ".//SpecificHealthCheckupInfo/EffectiveTime")[0] == "20260610"
    result = "HealthCheckupResultAndQuestionInfos/HealthCheckupResultAndQuestionInfo"
    latest = root.find(".//SpecificHealthCheckupInfo")
    assert latest is not None
    pressure = latest.find(f"{result}[ItemCode='{SBP}']")
    assert pressure is not None
    assert {child.tag: child.text for child in pressure} == {
        "ItemCode": SBP, "ItemName": "収縮期血圧(1回目)", "DataType": "PQ", "DataValue": "128", "Unit": "mm[Hg]",
    }  # fmt: skip


def test_an_error_says_why_and_nothing_of_the_patient() -> None:
    root = error_message(HEADER, "同意がありません。")
    assert _read(root, ".//ResultCode") == ["2"]
    assert _read(root, ".//MessageContents") == ["同意がありません。"]
    assert root.find(".//Name") is None
