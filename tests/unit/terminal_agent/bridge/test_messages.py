"""Every message is read by name and comes back as it was written."""

import dataclasses
import random
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eligibility.domain.dates import JAPAN
from eligibility.domain.identifiers import InsurerNumber
from terminal_agent.bridge import codec, document, messages
from terminal_agent.bridge.codes import Care, CheckupFileCategory, ConsentFlag, FileCategory
from terminal_agent.bridge.responder import Api
from terminal_agent.bridge.text import CharacterCode

SAMPLES = Path(__file__).parents[3] / "samples" / "bridge"
REQUESTS: dict[Api, type[Any]] = {
    Api.NUMBER: messages.NumberRequest,
    Api.BULK: messages.BulkRequest,
    Api.BULK_DOWNLOAD: messages.BulkDownloadRequest,
    Api.REFERENCE_NUMBER: messages.ReferenceNumberRequest,
    Api.MEDICATION: messages.MedicationRequest,
    Api.CHECKUP: messages.CheckupRequest,
}
ALL = [
    *REQUESTS.values(),
    messages.EligibilityMessage,
    messages.BulkMessage,
    messages.PlainMessage,
]


def _good(api: Api) -> Any:
    return codec.read(REQUESTS[api], document.parse((SAMPLES / api / "good.xml").read_bytes()).root)


# ── Samples ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_request_in_any_order_with_newer_elements() -> None:
    request = _good(Api.NUMBER)
    search = request.search
    assert request.header.asked_for == date(2026, 11, 21)
    assert (search.insurer_number, search.symbol, search.number) == (InsurerNumber("06130512"), "１２", "３４５")
    assert (search.branch_number, search.birth_date) == ("01", date(1980, 1, 1))
    assert (search.limit_consent, search.identifier) == (ConsentFlag.YES, "カルテ42")


def test_a_bulk_request_keeps_what_is_malformed_for_its_person_alone() -> None:
    first, second, third = _good(Api.BULK).searches
    assert (first.insurer_number, first.birth_date) == (InsurerNumber("06130512"), date(1980, 1, 1))
    assert second.insurer_number == InsurerNumber("00138057")
    assert (third.insurer_number, third.birth_date, third.limit_consent) == ("6130512", "20230229", None)


def test_the_other_requests() -> None:
    assert _good(Api.BULK_DOWNLOAD).reception_number == "0197a3c0000070008000000000000001"
    assert _good(Api.REFERENCE_NUMBER).registration.reference_number == "患者-0042"
    medication, checkup = _good(Api.MEDICATION), _good(Api.CHECKUP)
    assert (medication.category, medication.from_month, medication.through_month) == (
        FileCategory.MEDICATION_XML, "2026-01", "2026-11",
    )  # fmt: skip
    assert (checkup.category, checkup.care) == (CheckupFileCategory.XML, Care.OUTPATIENT)
    for request in (medication, checkup):
        assert (request.header.symbol, request.header.number, request.header.branch_number) == ("12", "345", "01")


HEADER, SEARCH = "/MessageHeader", "/MessageBody/QualificationConfirmSearchInfo"
EXPECTED_FAULTS = {
    Api.NUMBER: {
        f"{HEADER}/MedicalInstitutionCode",
        f"{HEADER}/ArbitraryFileIdentifier",
        f"{HEADER}/QualificationConfirmationDate",
        f"{SEARCH}/InsurerNumber",
        f"{SEARCH}/InsuredCardSymbol",
        f"{SEARCH}/InsuredIdentificationNumber",
        f"{SEARCH}/InsuredBranchNumber",
        f"{SEARCH}/Birthdate",
        f"{SEARCH}/LimitApplicationCertificateRelatedConsFlg",
    },
    Api.BULK: {
        f"{HEADER}/MedicalInstitutionCode",
        f"{HEADER}/QualificationConfirmationDate",
        "/QualificationConfirmSearchInfo/InsurerNumber",
        "/QualificationConfirmSearchInfo/ArbitraryIdentifier",
    },
    Api.BULK_DOWNLOAD: {f"{HEADER}/MedicalInstitutionCode", "/MessageBody/ReceptionNumber"},
    Api.REFERENCE_NUMBER: {
        HEADER,
        "/MessageBody/ReferenceNumberRegistrationInfo/ReferenceNumber",
        "/MessageBody/ReferenceNumberRegistrationInfo/InsurerNumber",
        "/MessageBody/ReferenceNumberRegistrationInfo/InsuredIdentificationNumber",
        "/MessageBody/ReferenceNumberRegistrationInfo/InsuredBranchNumber",
    },
    Api.MEDICATION: {
        f"{HEADER}/InsurerNumber",
        f"{HEADER}/InsuredPersonIdentificationNumber",
        f"{HEADER}/BranchNumber",
        "/MessageBody/StartDate",
        "/MessageBody/EndDate",
        "/MessageBody/FileCategory",
        "/MessageBody/PrDiInfClassification",
        "/MessageBody/MedicalTreatmentFlag",
    },
    Api.CHECKUP: {
        f"{HEADER}/InsurerNumber",
        f"{HEADER}/InsuredPersonIdentificationNumber",
        f"{HEADER}/BranchNumber",
        "/MessageBody/FileCategory",
        "/MessageBody/PrDiInfClassification",
        "/MessageBody/MedicalTreatmentFlag",
    },
}


@pytest.mark.parametrize("api", Api)
def test_every_fault_of_a_message_is_found_at_once_and_none_quotes_its_value(api: Api) -> None:
    root = document.parse((SAMPLES / api / "all_wrong.xml").read_bytes()).root
    with pytest.raises(codec.MessageWrong) as wrong:
        codec.read(REQUESTS[api], root)
    assert {fault.path for fault in wrong.value.faults} == EXPECTED_FAULTS[api]
    said = str(wrong.value) + "".join(f"{fault.expected.ja}{fault.expected.en}" for fault in wrong.value.faults)
    assert "0613051" not in said
    assert "19800101" not in said


@pytest.mark.parametrize("api", Api)
def test_no_message_is_an_empty_message(api: Api) -> None:
    with pytest.raises(codec.MessageWrong):
        codec.read(REQUESTS[api], Element("XmlMsg"))


def test_no_value_of_a_person_is_in_a_repr() -> None:
    for api in Api:
        shown = repr(_good(api))
        assert not any(value in shown for value in ("'345'", "３４５", "datetime.date(1980", "患者-0042", "カルテ42"))


# ── The real-shaped sample ──────────────────────────────────────────────────────────────────────────────────────


def test_a_real_shaped_answer_is_read_and_written_back(shared_data: Path) -> None:
    content = (shared_data / "oqs" / "OQSsiquc01res_face_sample.xml").read_bytes()
    read = codec.read(messages.EligibilityMessage, document.parse(content).root)
    assert _elements(_write(read)) == _elements(document.parse(content).root)


def test_the_exporter_s_other_names_of_medication_are_taken() -> None:
    result = Element("ResultOfQualificationConfirmation")
    for name, value in {
        "InsuredCardClassification": "01", "Name": "診療　太郎", "Sex1": "1", "Birthdate": "19800101",
        "InsurerName": "架空", "PharmaceuticalInfoConsFlg": "1", "PharmaceuticalInfoConsTime": "20261121090000",
        "PharmaceuticalInfoAcquisitionTime": "20261122090000",
    }.items():  # fmt: skip
        child = Element(name)
        child.text = value
        result.append(child)
    read = codec.read(messages.EligibilityResult, result)
    assert read.medication_consent is ConsentFlag.YES
    assert read.medication_until == datetime(2026, 11, 22, 9, 0, tzinfo=JAPAN)


def _elements(root: Element, above: str = "") -> set[tuple[str, str]]:
    """Return every element's path with its text; the order means nothing."""
    path = f"{above}/{root.tag}"
    found = {(path, root.text or "")} if len(root) == 0 else set()
    return found.union(*(_elements(child, path) for child in root))


# ── Any message ─────────────────────────────────────────────────────────────────────────────────────────────────

_words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=10)
_days = st.dates(date(1900, 1, 1), date(2999, 12, 31))
_moments = st.builds(datetime.combine, _days, st.times().map(lambda time: time.replace(microsecond=0)), st.just(JAPAN))
_insurers = st.from_regex(r"[0-9]{8}", fullmatch=True).map(InsurerNumber)


def _values(place: Any) -> st.SearchStrategy[Any]:
    form = place.form
    if form is codec.DATE:
        return _days
    if form is codec.MOMENT:
        return _moments
    if form is codec.MONTH:
        return _days.map(lambda day: f"{day:%Y-%m}")
    if form is codec.INSURER:
        return _insurers
    if form is codec.BRANCH:
        return st.from_regex(r"[0-9]{2}", fullmatch=True)
    if form is codec.PERCENT:
        return st.integers(0, 100)
    expected = form.expected.en
    if expected.startswith("one of "):
        return st.sampled_from(expected.removeprefix("one of ").split(", ")).map(form.read)
    if expected.endswith("digits"):
        return st.integers(0, 999) if isinstance(form.read("1"), int) else st.just("1")
    # Where something malformed is kept as it is, what reads as a day or an insurer is none.
    words = _words.filter(lambda word: form.read(word) == word)
    if "date" in expected:
        return st.one_of(_days, words)
    return st.one_of(_insurers, words) if "8 digits" in expected else words


def _any(message: type[Any]) -> st.SearchStrategy[Any]:
    fields = {}
    for field in dataclasses.fields(message):
        place = field.metadata["place"]
        value = _any(place.message) if place.form is None else _values(place)
        if place.several:
            value = st.lists(value.filter(_says_something), max_size=3).map(tuple)
        elif place.form is None and not place.required:
            value = st.one_of(st.none(), value.filter(_says_something))
        elif not place.required:
            value = st.one_of(st.none(), value)
        fields[field.name] = value
    return st.builds(message, **fields)


def _says_something(message: Any) -> bool:
    return any(getattr(message, field.name) not in (None, ()) for field in dataclasses.fields(message))


def _write(message: Any) -> Element:
    root = Element("XmlMsg")
    codec.write(message, root)
    return root


def _shuffle(root: Element, order: random.Random) -> None:
    children = list(root)
    # Elements of one name keep their order among themselves: they are a list.
    order.shuffle(children)
    by_name = {child.tag: [one for one in root if one.tag == child.tag] for child in children}
    root[:] = [by_name[child.tag].pop(0) for child in children]
    for child in root:
        _shuffle(child, order)


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.__name__)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), order=st.randoms(use_true_random=False))
def test_what_is_written_is_read_again_in_any_order_and_both_encodings(
    message: type[Any], data: st.DataObject, order: random.Random
) -> None:
    written = data.draw(_any(message))
    if message is messages.BulkRequest:
        written = dataclasses.replace(written, searches=tuple(filter(_says_something, written.searches)))
    for code in CharacterCode:
        root = _write(written)
        # What the encoding lacks is another test's; here both sides have what it can write.
        document.fit_texts(root, code)
        fitted = codec.read(message, root)
        _shuffle(root, order)
        assert codec.read(message, document.parse(document.serialise(root, code)).root) == fitted
        if code is CharacterCode.UTF_8:
            assert fitted == written
