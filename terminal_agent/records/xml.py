"""A record as the XML that clinics' software reads: YZKsiquc01res (medication) and TKKsiquc01res (check-ups).

The elements' names are those that known readers look for. What nobody outside the field's own specification knows is
kept in `UNVERIFIED`, one table that is easy to correct; an element of unknown content is left out, not made up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from eligibility.domain.codes import ClaimKind, UsageGroup
from eligibility.domain.dates import JAPAN
from eligibility.wire.checkups import Checkup, CheckupHistory
from eligibility.wire.medications import MedicationHistory, Medicine
from terminal_agent.records.medication import Month, drug_name
from terminal_agent.records.patient import Patient

RESULT_OK: Final = "1"
RESULT_ERROR: Final = "2"

# Codes of which no public list is known to us. Each is what readers make of it, or the nearest code of a claim.
UNVERIFIED: Final = MappingProxyType(
    {
        "RESULT_ERROR": "that a ResultCode other than 1 is 2",
        "MessageHeader/ResultCode": "where ResultCode and MessageContents stand; readers look for them anywhere",
        "DiOrg, PrIsOrg": "1 this institution, 2 another",
        "InOut": "1 given by the institution, 2 by a pharmacy",
        "MeTrIdCl": "診療識別 as in a medical claim; a dispensing claim's 剤形 is turned into the nearest",
        "UsageN": "the way of use; the usage's own text is not known, only its code",
        "SpInst": "the comments of the claim",
        "IngreN": "left out: the ingredient is known by its code alone",
        "DiDate": "left out where the claim states no day",
        "Oid": "left out",
    }
)
_OWN, _OTHER = "1", "2"
_IN_OUT: Final = {ClaimKind.MEDICAL: "1", ClaimKind.DISPENSING: "2"}
_SERVICE_CLASS: Final = {
    UsageGroup.ORAL: "21",
    UsageGroup.ORAL_DROPS: "21",
    UsageGroup.DECOCTION: "21",
    UsageGroup.HERBAL_TEA: "21",
    UsageGroup.AS_NEEDED: "22",
    UsageGroup.EXTERNAL: "23",
    UsageGroup.HOME: "14",
    UsageGroup.INJECTION: "31",
    UsageGroup.MATERIAL: "40",
    UsageGroup.PROCEDURE: "40",
}


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """What stands at the head beside the patient: who asked, when it was answered, in which encoding (005)."""

    institution_code: str
    identifier: str
    answered_at: datetime
    character_code: str


def medication_message(history: MedicationHistory, patient: Patient, header: RecordHeader) -> Element:
    """Return YZKsiquc01res: months of institutions, in them days, in them drugs; latest first."""
    root, head = _message(header)
    person = SubElement(head, "QuaInf")
    _texts(
        person,
        Name=patient.name,
        KanaName=patient.name_kana,
        Birth=_day(patient.birth_date),
        AdmGendCode=patient.sex.value,
    )
    body = SubElement(root, "MessageBody")
    in_order = sorted(history.medicines, key=_place_and_day, reverse=True)
    for _, of_month in groupby(in_order, key=lambda medicine: _place_and_day(medicine)[:4]):
        body.append(_month(list(of_month), header.institution_code))
    return root


def checkup_message(history: CheckupHistory, patient: Patient, header: RecordHeader) -> Element:
    """Return TKKsiquc01res: check-ups with their results, latest first."""
    root, head = _message(header)
    person = SubElement(head, "QualificationsInfo")
    _texts(
        person,
        Name=patient.name,
        KanasName=patient.name_kana,
        Birthday=_day(patient.birth_date),
        AdministrativeGenderCode=patient.sex.value,
    )
    body = SubElement(root, "MessageBody")
    for checkup in sorted(history.checkups, key=lambda one: one.performed_on, reverse=True):
        body.append(_checkup(checkup))
    return root


def error_message(header: RecordHeader, said: str) -> Element:
    """Return the answer that says why there is no record."""
    root, _ = _message(header, RESULT_ERROR, said)
    SubElement(root, "MessageBody")
    return root


def _message(header: RecordHeader, result: str = RESULT_OK, said: str = "") -> tuple[Element, Element]:
    root = Element("XmlMsg")
    head = SubElement(root, "MessageHeader")
    _texts(
        head,
        ProcessExecutionTime=f"{header.answered_at.astimezone(JAPAN):%Y%m%d%H%M%S}",
        CharacterCodeIdentifier=header.character_code,
        MedicalInstitutionCode=header.institution_code,
        ArbitraryFileIdentifier=header.identifier,
        ResultCode=result,
        MessageContents=said,
    )
    return root, head


def _place_and_day(medicine: Medicine) -> tuple[Month, str, str, str, date]:
    return (
        Month.of(medicine.medicine_on),
        medicine.institution_code,
        medicine.prescriber_code or "",
        medicine.kind.value,
        medicine.medicine_on,
    )


def _month(medicines: list[Medicine], own_code: str) -> Element:
    first = medicines[0]
    element = Element("MeTrMonthInf")
    prescriber_code = first.prescriber_code or ""
    _texts(
        element,
        DiOrg=_OWN if first.institution_code == own_code else _OTHER,
        MeTrDiHCd=first.institution_code,
        PrlsHCd=prescriber_code,
        MeTrDiHNm=first.institution_name,
        MeTrMonth=f"{first.medicine_on:%Y%m}",
        PrlsHNm=first.prescriber_name or "",
        PrIsOrg=_OWN if (prescriber_code or first.institution_code) == own_code else _OTHER,
        InOut=_IN_OUT[first.kind],
    )
    days = SubElement(element, "DiDateInfs")
    for _, of_day in groupby(medicines, key=lambda one: (one.medicine_on, one.day_stated, one.prescribed_on)):
        days.append(_one_day(list(of_day)))
    return element


def _one_day(medicines: list[Medicine]) -> Element:
    first = medicines[0]
    element = Element("DiDateInf")
    _texts(
        element,
        DiDate=_day(first.medicine_on) if first.day_stated else "",
        PrDate=_day(first.prescribed_on) if first.prescribed_on else "",
    )
    drugs = SubElement(element, "DrugInfs")
    for medicine in medicines:
        _texts(
            SubElement(drugs, "DrugInf"),
            DrugC=medicine.drug_code,
            DrugN=drug_name(medicine),
            Qua1="" if medicine.quantity is None else f"{medicine.quantity.normalize():f}",
            Unit=medicine.unit or "",
            UsageN=medicine.usage_group.ja,
            SpInst=medicine.comment or "",
            Times=str(medicine.days_or_times),
            MeTrIdCl=_SERVICE_CLASS[medicine.usage_group],
        )
    return element


def _checkup(checkup: Checkup) -> Element:
    element = Element("SpecificHealthCheckupInfo")
    _texts(element, EffectiveTime=_day(checkup.performed_on))
    results = SubElement(element, "HealthCheckupResultAndQuestionInfos")
    for item in checkup.items:
        _texts(
            SubElement(results, "HealthCheckupResultAndQuestionInfo"),
            ItemCode=item.item_code,
            ItemName=item.name_ja or item.item_code,
            DataType=item.result_kind.value,
            DataValue=item.value,
            DataValueName=item.value_name,
            Unit=item.unit,
        )
    return element


def _texts(parent: Element, **texts: str) -> None:
    """Add an element for each text that says something."""
    named: Iterable[tuple[str, str]] = texts.items()
    for name, text in named:
        if text:
            SubElement(parent, name).text = text


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"
