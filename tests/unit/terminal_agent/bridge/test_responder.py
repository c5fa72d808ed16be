import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree.ElementTree import Element

import pypdf
import pytest

from eligibility.domain.codes import CardClass, ConsentClass, Method, Outcome, Relation, Sex
from eligibility.domain.dates import JAPAN
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.bulk import BulkState
from eligibility.wire.verifications import ConsentAnswer, CoverageAnswer
from terminal_agent.bridge import codec, document
from terminal_agent.bridge.answers import Envelope, eligibility_message
from terminal_agent.bridge.codes import ConsentFlag, Processing, ReferenceClassification, Segment, Validity
from terminal_agent.bridge.messages import BulkMessage, EligibilityMessage, PlainMessage
from terminal_agent.bridge.responder import Api, Reply
from terminal_agent.bridge.results import SAID, Result
from terminal_agent.bridge.text import CharacterCode
from tests.unit.terminal_agent.bridge.conftest import (
    BULK_ID,
    DOCTOR,
    HANG_UP,
    Desk,
    bulk_status,
    by_number,
    card_visit,
    problem,
)
from tests.unit.terminal_agent.conftest import VALID

SAMPLES = Path(__file__).parents[3] / "samples" / "bridge"
REQUEST_ID = UUID("0197a3c0-0000-7000-8000-00000000000a")
assert VALID.coverage is not None
COVERAGE = VALID.coverage


def _good(api: Api, change: Callable[[str], str] = str) -> bytes:
    content = (SAMPLES / api / "good.xml").read_bytes()
    read = document.parse(content)
    return change(content.decode(read.character_code.codec)).encode(read.character_code.codec)


def _ask(desk: Desk, api: Api, change: Callable[[str], str] = str) -> Reply:
    return desk.responder.answer(api, _good(api, change), REQUEST_ID)


def _read(reply: Reply, message: Any = EligibilityMessage) -> Any:
    assert reply.content is not None
    return codec.read(message, document.parse(reply.content).root)


def _root(reply: Reply) -> Element:
    assert reply.content is not None
    return document.parse(reply.content).root


# ── One person ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_request_becomes_the_centre_s_question_and_its_answer_a_message(desk: Desk) -> None:
    answer = _read(_ask(desk, Api.NUMBER))
    (path, asked), = desk.centre.asked  # fmt: skip
    assert path == "/v1/number-verifications"
    assert asked == {
        "insurer_number": "06130512", "symbol": "１２", "number": "３４５", "branch_number": "01",
        "birth_date": "1980-01-01", "asked_for": "2026-11-21", "known_at": None,
    }  # fmt: skip
    assert desk.centre.keys == [str(REQUEST_ID)]
    header, body = answer.header, answer.body
    assert (header.segment, header.classification) == (Segment.DONE, ReferenceClassification.NUMBER)
    assert (header.character_code, header.identifier) == (CharacterCode.SHIFT_JIS, "FILE-1")
    assert (header.institution_code, header.asked_for) == ("1312345679", VALID.asked_for)
    assert (body.processing, body.validity) == (Processing.DONE, Validity.VALID)
    assert (body.search.identifier, body.search.number) == ("カルテ42", "３４５")
    (result,) = body.results
    assert (result.name, result.name_kana) == ("髙橋　花子　［ｂ］", "ﾀｶﾊｼ ﾊﾅｺ")
    assert (result.postal_code, result.copayment_percent) == ("100-0013", 30)
    assert (result.limit_consent, result.disease_consent) == (ConsentFlag.NO, ConsentFlag.NO)
    assert result.medication_consent is None  # without a card nobody is asked
    assert result.identifier == "カルテ42"


def test_an_answer_has_its_request_s_encoding(desk: Desk) -> None:
    utf_8 = desk.responder.answer(
        Api.NUMBER, _good(Api.NUMBER).decode("cp932").replace("Shift_JIS", "UTF-8").encode(), uuid4()
    )
    assert _read(utf_8).header.character_code is CharacterCode.UTF_8
    assert utf_8.content
    assert utf_8.content.decode().startswith('<?xml version="1.0" encoding="UTF-8"')


@pytest.mark.parametrize(
    ("outcome", "validity"),
    [
        (Outcome.LAPSED, Validity.LAPSED),
        (Outcome.LAPSED_NEWER_EXISTS, Validity.LAPSED_NEWER_EXISTS),
        (Outcome.NONE, Validity.NONE),
        (Outcome.SEVERAL, Validity.SEVERAL),
    ],
)
def test_the_field_s_code_for_each_outcome(desk: Desk, outcome: Outcome, validity: Validity) -> None:
    desk.centre.answers["/v1/number-verifications"] = by_number(outcome=outcome, coverage=None)
    body = _read(_ask(desk, Api.NUMBER)).body
    assert (body.processing, body.validity, body.results) == (Processing.DONE, validity, ())


def test_a_suspended_viewing_is_an_error_and_shows_nothing(desk: Desk) -> None:
    # Even if the centre's answer held a coverage.
    desk.centre.answers["/v1/number-verifications"] = by_number(outcome=Outcome.SUSPENDED)
    body = _read(_ask(desk, Api.NUMBER)).body
    assert (body.processing, body.result_code, body.validity, body.results) == (
        Processing.ERROR, Result.SUSPENDED, None, (),
    )  # fmt: skip


def test_a_limit_certificate_asked_for_without_a_card_is_told_to_need_one(desk: Desk) -> None:
    body = _read(_ask(desk, Api.NUMBER)).body
    assert body.result_code == Result.LIMIT_NEEDS_CARD
    assert SAID[Result.LIMIT_NEEDS_CARD].ja in body.result_message
    not_asked = _read(_ask(desk, Api.NUMBER, lambda text: text.replace("ConsFlg>1<", "ConsFlg>0<"))).body
    assert not_asked.result_code is None


@pytest.mark.parametrize(
    ("code", "results"),
    [
        ("1311111111", [Result.INSTITUTION_CHECK_DIGIT, Result.INSTITUTION_DIFFERS]),
        ("0110113719", [Result.INSTITUTION_DIFFERS]),
        ("1312345679", []),
    ],
)
def test_a_wrong_institution_code_is_a_warning(desk: Desk, code: str, results: list[Result]) -> None:
    answer = _read(_ask(desk, Api.NUMBER, lambda text: text.replace("1312345679", code).replace("Flg>1<", "Flg>0<")))
    assert answer.body.validity is Validity.VALID
    assert answer.header.institution_code == "1312345679"  # the terminal's own
    assert answer.body.result_code == (results[0] if results else None)
    assert all(SAID[result].ja in answer.body.result_message for result in results)


def test_an_institution_code_that_is_none_is_a_fault(desk: Desk) -> None:
    reply = _ask(desk, Api.NUMBER, lambda text: text.replace("1312345679", "ABC"))
    assert reply.fault
    assert reply.fault.result is Result.MALFORMED
    assert desk.centre.asked == []


def test_a_character_that_shift_jis_lacks_is_marked(desk: Desk) -> None:
    coverage = COVERAGE.model_copy(update={"name": "𠮷田　花子", "address": "葛\U000e0100飾区"})
    desk.centre.answers["/v1/number-verifications"] = by_number(coverage=coverage)
    reply = _ask(desk, Api.NUMBER, lambda text: text.replace("Flg>1<", "Flg>0<"))
    body = _read(reply).body
    assert (body.results[0].name, body.results[0].address) == ("●田　花子", "葛飾区")
    assert body.result_code == Result.CHARACTERS_REPLACED
    assert body.result_message.endswith("Address, Name")
    assert reply.content
    assert b"?" not in reply.content.partition(b"?>")[2]


# ── What goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("api", Api)
def test_a_wrong_message_is_told_what_is_wrong_and_reaches_nobody(desk: Desk, api: Api) -> None:
    reply = desk.responder.answer(api, (SAMPLES / api / "all_wrong.xml").read_bytes(), uuid4())
    assert reply.fault
    assert reply.fault.result is Result.MALFORMED
    assert desk.centre.asked == []
    if api.is_record:
        assert _root(reply).findtext(".//ResultCode") == "2"
        assert (_root(reply).findtext(".//MessageContents") or "").startswith(Result.MALFORMED)
    else:
        answer = _read(reply, PlainMessage)
        assert (answer.header.segment, answer.header.error_code) == (Segment.FAILED, Result.MALFORMED)
        assert (answer.body.processing, answer.body.result_code) == (Processing.ERROR, Result.MALFORMED)


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"", Result.INCOMPLETE),
        (b"<XmlMsg>", Result.INCOMPLETE),
        (b"\x00\x01\xff", Result.ENCODING_UNKNOWN),
        (b"<Other/>", Result.UNREADABLE),
        (b"<!DOCTYPE XmlMsg><XmlMsg/>", Result.FORBIDDEN_XML),
        (b"<XmlMsg>" + b"<A>" * 99 + b"</A>" * 99 + b"</XmlMsg>", Result.TOO_LARGE),
    ],
)
@pytest.mark.parametrize("api", [Api.NUMBER, Api.MEDICATION])
def test_a_file_that_is_no_message_is_answered_all_the_same(
    desk: Desk, api: Api, content: bytes, result: Result
) -> None:
    reply = desk.responder.answer(api, content, uuid4())
    assert reply.fault
    assert reply.fault.result is result
    assert result.value in (_root(reply).findtext(".//ErrorCode") or _root(reply).findtext(".//MessageContents") or "")


@pytest.mark.parametrize(
    ("prepared", "result"),
    [
        (HANG_UP, Result.CENTRE_AWAY),
        ((500, b"<html>"), Result.CENTRE_AWAY),
        ((200, b"{}"), Result.CENTRE_AWAY),
        ((429, problem("rate_limited", 429)), Result.RATE_LIMITED),
        ((503, problem("busy", 503)), Result.CENTRE_BUSY),
        ((401, problem("caller_unknown", 401)), Result.TERMINAL_NOT_ACCEPTED),
        ((422, problem("my_number_refused", 422)), Result.MY_NUMBER),
        ((403, problem("a_code_of_tomorrow", 403)), Result.REFUSED),
    ],
)
def test_trouble_at_the_centre_is_answered_and_is_no_fault_of_the_file(
    desk: Desk, prepared: Any, result: Result
) -> None:
    desk.centre.answers["/v1/number-verifications"] = prepared
    reply = _ask(desk, Api.NUMBER)
    assert reply.fault is None
    answer = _read(reply, PlainMessage)
    assert (answer.header.segment, answer.header.error_code) == (Segment.FAILED, result)
    if result is Result.REFUSED:
        assert answer.body.result_message == "受付の方へ。"


# ── A card visit ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_facts_are_written_as_the_real_shaped_sample_has_them(shared_data: Path, desk: Desk) -> None:
    sample = document.parse((shared_data / "oqs" / "OQSsiquc01res_face_sample.xml").read_bytes()).root
    at = datetime(2023, 2, 21, 17, 48, 35, tzinfo=JAPAN)
    until = at + timedelta(hours=24)
    coverage = CoverageAnswer(
        insurer_number="00123456", insurer_name="東京都", symbol="12-34", number="4260", branch_number="01",
        name="診療 太郎", name_kana="シンリョウ　タロウ", birth_date=date(2001, 3, 27), sex=Sex.MALE,
        postal_code="1234567", address="東京都", relation=Relation.INSURED, card_class=CardClass.GENERAL,
        acquired_on=date(2019, 10, 1), lost_on=None, loss_reason=None, copayment_percent=None,
        issued_on=date(2019, 10, 1), valid_from=date(2019, 10, 1), valid_through=None, preschool=False,
        elderly_certificate=None, limit_certificates=(), specific_disease_certificates=(),
    )  # fmt: skip
    agreed = (ConsentClass.MEDICATION, ConsentClass.CHECKUP)
    visit = VALID.model_copy(
        update={
            "verified_at": at, "asked_for": date(2023, 2, 21), "method": Method.FACE, "coverage": coverage,
            "consents": tuple(ConsentAnswer(consent_class=one, expires_at=until) for one in agreed),
            "conflicting_insurers": (), "notices": (),
        }
    )  # fmt: skip
    envelope = Envelope("1311111111", CharacterCode.UTF_8, at, "ArnHCeDfNjMCFzg=")
    written = Element("XmlMsg")
    codec.write(eligibility_message(visit, envelope), written)
    ours, theirs = _fields(written), _fields(sample)
    # The sample does not say since when the coverage is held; we always know.
    assert ours.pop("/MessageBody/ResultList/ResultOfQualificationConfirmation/QualificationDate") == "20191001"
    assert ours == theirs


def _fields(root: Element, above: str = "") -> dict[str, str]:
    found = {}
    for child in root:
        path = f"{above}/{child.tag}"
        found |= _fields(child, path) if len(child) else {path: child.text or ""}
    return found


def test_a_card_visit_tells_what_the_patient_agreed_to(desk: Desk) -> None:
    visit = card_visit(ConsentClass.LIMIT_CERTIFICATE, ConsentClass.TREATMENT)
    written = desk.responder.card_visit(visit, CharacterCode.SHIFT_JIS)
    answer = codec.read(EligibilityMessage, document.parse(written).root)
    assert answer.header.classification is ReferenceClassification.CARD
    assert answer.header.identifier == visit.verification_id.hex
    (result,) = answer.body.results
    assert (result.limit_consent, result.limit_consent_at) == (ConsentFlag.YES, visit.verified_at)
    assert (result.diagnosis_consent, result.diagnosis_until) == (
        ConsentFlag.YES, visit.verified_at + timedelta(hours=24),
    )  # fmt: skip
    assert (result.medication_consent, result.medication_consent_at, result.medication_until) == (
        ConsentFlag.NO, None, None,
    )  # fmt: skip
    assert result.limit
    assert result.limit.category == "A03"
    assert result.elderly
    assert result.elderly.copayment_percent == 20
    assert [one.self_pay_yen for one in result.diseases] == [10000, None]
    assert answer.body.search is None


def test_notices_of_the_centre_stand_beside_the_answer(desk: Desk) -> None:
    answer = codec.read(EligibilityMessage, document.parse(desk.responder.card_visit(VALID, CharacterCode.UTF_8)).root)
    assert answer.body.result_code == Result.OTHER_NOTICE
    assert "証明書の更新が近づいています。" in (answer.body.result_message or "")
    assert "06139471" in (answer.body.result_message or "")


# ── Many persons, reference numbers ─────────────────────────────────────────────────────────────────────────────


def test_a_bulk_check_in_two_steps(desk: Desk) -> None:
    accepted = _read(_ask(desk, Api.BULK), BulkMessage)
    assert (accepted.header.segment, accepted.header.reception_number) == (Segment.DONE, BULK_ID.hex)
    assert accepted.header.identifier == "BULK-1"
    path, asked = desk.centre.asked[0]
    assert (path, asked["asked_for"]) == ("/v1/bulk-verifications", "2026-11-22")
    assert [item["item_id"] for item in asked["items"]] == ["0", "1", "2"]
    assert [item["insurer_number"] for item in asked["items"]] == ["06130512", "00138057", "6130512"]
    assert [item["birth_date"] for item in asked["items"]] == ["1980-01-01", "2020-02-29", "20230229"]

    status = f"/v1/bulk-verifications/{BULK_ID}"
    desk.centre.answers[status] = bulk_status(BulkState.WORKING)
    working = _read(_ask(desk, Api.BULK_DOWNLOAD), BulkMessage)
    assert (working.header.segment, working.header.reception_number, working.units) == (
        Segment.WORKING, BULK_ID.hex, (),
    )  # fmt: skip

    desk.centre.answers[status] = bulk_status(BulkState.DONE)
    done = _read(_ask(desk, Api.BULK_DOWNLOAD), BulkMessage)
    assert (done.header.segment, done.header.results, done.header.results_done, done.header.results_wrong) == (
        Segment.DONE, 3, 2, 1,
    )  # fmt: skip
    by_patient = {unit.search.identifier: unit for unit in done.units if unit.search}
    assert by_patient["P-1"].validity is Validity.NONE
    found = by_patient["P-2"]
    assert (found.validity, found.reference_number, found.limit_changed) == (Validity.VALID, "P-9", "1")
    assert (found.results[0].reference_number, found.search.insurer_number) == ("P-9", InsurerNumber("00138057"))
    wrong = by_patient["P-3"]
    assert (wrong.processing, wrong.result_code) == (Processing.ERROR, Result.MALFORMED)
    assert wrong.search.birth_date == "20230229"


@pytest.mark.parametrize("number", ["0197a3c0000070008000000000000002", "../../etc/passwd", "x"])
def test_a_reception_number_nobody_was_given(desk: Desk, number: str) -> None:
    reply = _ask(desk, Api.BULK_DOWNLOAD, lambda text: text.replace(BULK_ID.hex, number))
    assert _read(reply, PlainMessage).header.error_code == Result.RECEPTION_UNKNOWN
    assert desk.centre.asked == []


def test_a_bulk_check_that_the_centre_has_cleared(desk: Desk) -> None:
    _ask(desk, Api.BULK)
    del desk.centre.answers[f"/v1/bulk-verifications/{BULK_ID}"]
    assert _read(_ask(desk, Api.BULK_DOWNLOAD), PlainMessage).header.error_code == Result.RECEPTION_UNKNOWN


def test_a_bulk_check_of_nobody(desk: Desk) -> None:
    def nobody(text: str) -> str:
        return text[: text.index("<QualificationConfirmSearchInfo>")] + "</MessageBody></XmlMsg>"

    reply = _ask(desk, Api.BULK, nobody)
    assert reply.fault
    assert reply.fault.result is Result.TOO_MANY_PERSONS


def test_a_reference_number_is_registered(desk: Desk) -> None:
    answer = _read(_ask(desk, Api.REFERENCE_NUMBER), PlainMessage)
    assert (answer.header.segment, answer.body.processing) == (Segment.DONE, Processing.DONE)
    assert desk.centre.asked[0][1]["reference_number"] == "患者-0042"


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("patient_not_checked", Result.PATIENT_NOT_CHECKED),
        ("patient_ambiguous", Result.PATIENT_AMBIGUOUS),
        ("reference_number_taken", Result.REFERENCE_NUMBER_TAKEN),
    ],
)
def test_a_reference_number_that_is_refused(desk: Desk, code: str, result: Result) -> None:
    desk.centre.answers["/v1/reference-numbers"] = (409, problem(code, 409))
    assert _read(_ask(desk, Api.REFERENCE_NUMBER), PlainMessage).header.error_code == result


# ── Medical data ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("api", "element"), [(Api.MEDICATION, "DrugInf"), (Api.CHECKUP, "ItemCode")])
def test_medical_data_of_a_visit_for_who_is_signed_in(desk: Desk, api: Api, element: str) -> None:
    desk.visits.remember(card_visit(ConsentClass.MEDICATION, ConsentClass.CHECKUP))
    root = _root(_ask(desk, api))
    assert root.findtext(".//ResultCode") == "1"
    assert root.findtext(".//Name") == "診療　太郎"
    assert root.findtext("MessageHeader/ArbitraryFileIdentifier") == "42"
    assert root.find(f".//{element}") is not None
    assert desk.centre.tokens == [f"Bearer {DOCTOR.token}"]
    if api is Api.MEDICATION:
        assert desk.centre.asked[0][0].endswith("medications?from=2026-01&through=2026-11")


@pytest.mark.parametrize("api", [Api.MEDICATION, Api.CHECKUP])
def test_medical_data_as_pages(desk: Desk, api: Api) -> None:
    desk.visits.remember(card_visit(ConsentClass.MEDICATION, ConsentClass.CHECKUP))
    reply = _ask(desk, api, lambda text: text.replace("FileCategory>2<", "FileCategory>1<"))
    assert (reply.suffix, reply.fault) == (".pdf", None)
    assert reply.content
    assert "診療　太郎" in pypdf.PdfReader(io.BytesIO(reply.content)).pages[0].extract_text()


def _error(reply: Reply) -> str:
    root = _root(reply)
    assert root.findtext(".//ResultCode") == "2"
    assert root.find(".//Name") is None
    return (root.findtext(".//MessageContents") or "").partition(" ")[0]


@pytest.mark.parametrize("api", [Api.MEDICATION, Api.CHECKUP])
def test_no_medical_data_without_somebody_signed_in_or_a_visit(desk: Desk, api: Api) -> None:
    assert _error(_ask(desk, api)) == Result.NO_VISIT
    desk.staff.clear()
    # Who is not signed in does not learn whether anybody was here.
    assert _error(_ask(desk, api)) == Result.NOT_SIGNED_IN
    desk.visits.remember(card_visit(ConsentClass.MEDICATION))
    assert _error(_ask(desk, api)) == Result.NOT_SIGNED_IN
    assert desk.centre.asked == []


def test_a_visit_is_forgotten_with_the_life_of_a_consent(desk: Desk) -> None:
    desk.visits.remember(card_visit(ConsentClass.MEDICATION))
    desk.clock[0] += timedelta(hours=24, seconds=1)
    assert _error(_ask(desk, Api.MEDICATION)) == Result.NO_VISIT
    assert desk.visits.last() is None


def test_two_of_one_family_are_told_apart_by_their_branch(desk: Desk) -> None:
    desk.visits.remember(card_visit(branch_number="01"))
    desk.visits.remember(card_visit(branch_number="02", name="診療　次郎"))

    def without_branch(text: str) -> str:
        return text.replace("<BranchNumber>01</BranchNumber>", "")

    assert _error(_ask(desk, Api.MEDICATION, without_branch)) == Result.PATIENT_AMBIGUOUS
    assert _root(_ask(desk, Api.MEDICATION)).findtext(".//Name") == "診療　太郎"


def test_one_alone_is_found_without_a_branch_and_in_another_width(desk: Desk) -> None:
    desk.visits.remember(card_visit())

    def wide(text: str) -> str:
        return (
            text.replace("<BranchNumber>01</BranchNumber>", "").replace(">345<", ">３４５<").replace(">12<", ">１２<")
        )

    assert _root(_ask(desk, Api.MEDICATION, wide)).findtext(".//ResultCode") == "1"


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("FileCategory>2<", "FileCategory>4<", Result.NO_TREATMENT_DATA),
        ("FileCategory>2<", "FileCategory>3<", Result.NO_TREATMENT_DATA),
        ("TreatmentFlag>1<", "TreatmentFlag>2<", Result.NOT_OUTPATIENT),
        ("TreatmentFlag>1<", "TreatmentFlag>3<", Result.NOT_OUTPATIENT),
    ],
)
def test_what_is_not_provided_is_said(desk: Desk, old: str, new: str, result: Result) -> None:
    desk.visits.remember(card_visit(ConsentClass.MEDICATION))
    assert _error(_ask(desk, Api.MEDICATION, lambda text: text.replace(old, new))) == result


def test_the_centre_decides_and_its_reason_is_told(desk: Desk) -> None:
    desk.visits.remember(card_visit())
    path = f"/v1/verifications/{VALID.verification_id}/medications"
    desk.centre.answers[path] = (403, problem("a_reason_of_tomorrow", 403))
    reply = _ask(desk, Api.MEDICATION)
    assert _error(reply) == Result.REFUSED
    assert "受付の方へ。" in (_root(reply).findtext(".//MessageContents") or "")
