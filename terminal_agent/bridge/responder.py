"""Answers one request of the clinic's software: reads it, asks the centre, writes what came of it.

The institution is the one of this terminal's certificate, whatever a message says. Medical data need a visit with the
card, a staff session in force and the patient's consent; the centre judges the last two, at every reading.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement

import structlog

from eligibility.domain.codes import ConsentClass
from eligibility.domain.errors import MalformedValue
from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber
from eligibility.wire import bulk
from eligibility.wire.staff import StaffSession
from eligibility.wire.verifications import NumberVerificationRequest, Verification
from terminal_agent.bridge import codec, document
from terminal_agent.bridge.answers import (
    Envelope,
    bulk_message,
    bulk_pending_message,
    eligibility_message,
    failed_message,
    plain_message,
)
from terminal_agent.bridge.codes import Care, CheckupFileCategory, ConsentFlag, FileCategory, Segment
from terminal_agent.bridge.document import DocumentWrong
from terminal_agent.bridge.messages import (
    BulkDownloadRequest,
    BulkRequest,
    BulkSearch,
    CheckupRequest,
    MedicationRequest,
    NumberRequest,
    RecordRequestHeader,
    ReferenceNumberRequest,
)
from terminal_agent.bridge.results import NotDone, Result, Told, not_done, told_of
from terminal_agent.bridge.sealed import SealedStore
from terminal_agent.bridge.text import CharacterCode
from terminal_agent.bridge.visits import VisitBook
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.language import Language
from terminal_agent.records.patient import Patient
from terminal_agent.records.pdf import checkup_pdf, medication_pdf
from terminal_agent.records.xml import RecordHeader, checkup_message, error_message, medication_message

_log = structlog.get_logger(__name__)
RECEPTION_LIFE: Final = timedelta(days=8)  # longer than the centre keeps a bulk check's results
_RECEPTION: Final = "reception"
_DOCUMENT_RESULTS: Final = {
    "unreadable": Result.UNREADABLE,
    "too_large": Result.TOO_LARGE,
    "forbidden_xml": Result.FORBIDDEN_XML,
    "encoding_unknown": Result.ENCODING_UNKNOWN,
    "incomplete": Result.INCOMPLETE,
}


class Api(StrEnum):
    """The requests that are answered, by the id their file's name begins with."""

    NUMBER = "OQSsiquc01"
    BULK = "OQSmuquc01"
    BULK_DOWNLOAD = "OQSmuquc02"
    REFERENCE_NUMBER = "OQSsiimm01"
    MEDICATION = "YZKsiquc01"
    CHECKUP = "TKKsiquc01"

    @property
    def is_record(self) -> bool:
        """Whether it asks for medical data, whose answers have another form."""
        return self in (Api.MEDICATION, Api.CHECKUP)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is written as the answer, and what was wrong with the request's file, if anything was."""

    content: bytes | None  # None: its software expects none that we know how to write
    suffix: str = ".xml"
    fault: Told | None = None


@dataclass(frozen=True, slots=True)
class Responder:
    """One terminal's answers."""

    centre: Centre
    institution: InstitutionCode
    visits: VisitBook
    store: SealedStore
    staff: Callable[[], StaffSession | None]
    now: Callable[[], datetime]

    def answer(self, api: Api, content: bytes, request_id: UUID) -> Reply:
        """Answer one request; the same request asked again under its id is done once."""
        envelope = Envelope(self.institution.code, CharacterCode.UTF_8, self.now())
        try:
            read = document.parse(content)
            envelope = Envelope(
                self.institution.code, read.character_code, envelope.processed_at, _identifier(read.root)
            )
            return self._carry_out(api, read.root, envelope, request_id)
        except DocumentWrong as error:
            told = Told(_DOCUMENT_RESULTS[error.code])
        except codec.MessageWrong as error:
            told = Told(Result.MALFORMED, "; ".join(f"{fault.path}: {fault.expected.ja}" for fault in error.faults))
        except MalformedValue as error:
            told = Told(Result.MALFORMED, error.field)
        except NotDone as error:
            told = error.told
        except (Refused, CentreError) as error:
            told = told_of(error)
        except Exception as error:  # noqa: BLE001 - the clinic's software gets an answer, whatever happens
            # The kind alone: an error's text may quote a value.
            _log.error("request_failed", api=api.value, kind=type(error).__name__)
            told = Told(Result.INTERNAL)
        fault = told if told.result.startswith(_FAULT_OF_THE_FILE) else None
        return Reply(_failure(api, envelope, told), fault=fault)

    def refuse(self, api: Api, result: Result) -> Reply:
        """Answer a file that is not read at all."""
        told = Told(result)
        envelope = Envelope(self.institution.code, CharacterCode.UTF_8, self.now())
        return Reply(_failure(api, envelope, told), fault=told)

    def card_visit(self, verification: Verification, character_code: CharacterCode) -> bytes:
        """Return OQSsiquc01res of a card visit, as it is laid into `face/` unasked."""
        envelope = Envelope(
            self.institution.code, character_code, verification.verified_at, verification.verification_id.hex
        )
        return _written(eligibility_message(verification, envelope), envelope)

    def _carry_out(self, api: Api, root: Element, envelope: Envelope, request_id: UUID) -> Reply:
        match api:
            case Api.NUMBER:
                return self._number(codec.read(NumberRequest, root), envelope, request_id)
            case Api.BULK:
                return self._bulk(codec.read(BulkRequest, root), envelope, request_id)
            case Api.BULK_DOWNLOAD:
                return self._bulk_download(codec.read(BulkDownloadRequest, root), envelope)
            case Api.REFERENCE_NUMBER:
                return self._reference_number(codec.read(ReferenceNumberRequest, root), envelope)
            case Api.MEDICATION:
                return self._medication(codec.read(MedicationRequest, root), envelope)
            case Api.CHECKUP:
                return self._checkups(codec.read(CheckupRequest, root), envelope)

    # ── One person, many persons, reference numbers ─────────────────────────────────────────────────────────────

    def _number(self, request: NumberRequest, envelope: Envelope, request_id: UUID) -> Reply:
        notices = self._notices(request.header.institution_code)
        search = request.search
        verification = self.centre.verify_number(
            NumberVerificationRequest(
                insurer_number=search.insurer_number.digits,
                symbol=search.symbol or "",
                number=search.number,
                branch_number=search.branch_number or "",
                birth_date=search.birth_date,
                asked_for=request.header.asked_for,
            ),
            request_id,
        )
        agreed = {consent.consent_class for consent in verification.consents}
        if search.limit_consent is ConsentFlag.YES and ConsentClass.LIMIT_CERTIFICATE not in agreed:
            notices = (*notices, Told(Result.LIMIT_NEEDS_CARD))
        return Reply(_written(eligibility_message(verification, envelope, search=search, notices=notices), envelope))

    def _bulk(self, request: BulkRequest, envelope: Envelope, request_id: UUID) -> Reply:
        self._notices(request.header.institution_code)
        if not 1 <= len(request.searches) <= bulk.MAX_BULK_ITEMS:
            raise not_done(Result.TOO_MANY_PERSONS)
        items = tuple(_bulk_item(place, search) for place, search in enumerate(request.searches))
        receipt = self.centre.start_bulk(bulk.BulkRequest(asked_for=request.header.asked_for, items=items), request_id)
        # The results name their items by place; the message names them by what was asked.
        kept = Element(document.ROOT)
        codec.write(request, kept)
        self.store.put(
            _RECEPTION,
            receipt.bulk_id.hex,
            document.serialise(kept, CharacterCode.UTF_8),
            self.now() + RECEPTION_LIFE,
        )
        return Reply(_written(bulk_pending_message(envelope, Segment.DONE, receipt.bulk_id.hex), envelope))

    def _bulk_download(self, request: BulkDownloadRequest, envelope: Envelope) -> Reply:
        self._notices(request.header.institution_code)
        kept = self.store.get(_RECEPTION, request.reception_number)
        if kept is None:
            raise not_done(Result.RECEPTION_UNKNOWN)
        bulk_id = UUID(hex=request.reception_number)
        try:
            if self.centre.bulk_status(bulk_id).state is not bulk.BulkState.DONE:
                pending = bulk_pending_message(envelope, Segment.WORKING, request.reception_number)
                return Reply(_written(pending, envelope))
            results = self.centre.bulk_results(bulk_id)
        except Refused as refused:
            if refused.problem.code == _NOT_FOUND:
                raise not_done(Result.RECEPTION_UNKNOWN) from refused
            raise
        searches = codec.read(BulkRequest, document.parse(kept).root).searches
        return Reply(_written(bulk_message(results, searches, envelope), envelope))

    def _reference_number(self, request: ReferenceNumberRequest, envelope: Envelope) -> Reply:
        notices = self._notices(request.header.institution_code)
        stated = request.registration
        self.centre.register_reference_number(
            bulk.ReferenceNumberRegistration(
                reference_number=stated.reference_number,
                insurer_number=stated.insurer_number.digits,
                symbol=stated.symbol or "",
                number=stated.number,
                branch_number=stated.branch_number or "",
            )
        )
        return Reply(_written(plain_message(envelope, notices, request.header.asked_for), envelope))

    # ── Medical data ────────────────────────────────────────────────────────────────────────────────────────────

    def _medication(self, request: MedicationRequest, envelope: Envelope) -> Reply:
        if request.category in (FileCategory.MEDICATION_TREATMENT_PDF, FileCategory.MEDICATION_TREATMENT_XML):
            raise not_done(Result.NO_TREATMENT_DATA)
        visit, staff = self._whose(request.header, request.care)
        history = self.centre.medications(visit.verification_id, staff, request.from_month, request.through_month)
        patient = _patient(visit)
        if request.category is FileCategory.MEDICATION_PDF:
            return Reply(medication_pdf(history, patient, envelope.processed_at, Language.JA), ".pdf")
        return Reply(_fitted(medication_message(history, patient, _record_header(envelope)), envelope))

    def _checkups(self, request: CheckupRequest, envelope: Envelope) -> Reply:
        visit, staff = self._whose(request.header, request.care)
        history = self.centre.checkups(visit.verification_id, staff)
        patient = _patient(visit)
        if request.category is CheckupFileCategory.PDF:
            return Reply(checkup_pdf(history, patient, envelope.processed_at, Language.JA), ".pdf")
        return Reply(_fitted(checkup_message(history, patient, _record_header(envelope)), envelope))

    def _whose(self, header: RecordRequestHeader, care: Care | None) -> tuple[Verification, StaffSession]:
        self._notices(header.institution_code)
        if care not in (None, Care.OUTPATIENT):
            raise not_done(Result.NOT_OUTPATIENT)
        # Who is signed in comes first, so that nobody else learns who was here.
        staff = self.staff()
        if staff is None:
            raise not_done(Result.NOT_SIGNED_IN)
        insured = InsuredNumber.parse(
            header.insurer_number.digits, header.symbol or "", header.number, header.branch_number or ""
        )
        return self.visits.find(insured), staff

    def _notices(self, stated: str) -> tuple[Told, ...]:
        try:
            code = InstitutionCode.parse(stated)
        except MalformedValue as error:
            raise not_done(Result.MALFORMED, "MessageHeader/MedicalInstitutionCode") from error
        notices = []
        if not code.check_digit_holds:
            notices.append(Told(Result.INSTITUTION_CHECK_DIGIT))
        if code != self.institution:
            notices.append(Told(Result.INSTITUTION_DIFFERS))
        return tuple(notices)


_FAULT_OF_THE_FILE: Final = "E1"
_NOT_FOUND: Final = "not_found"


def _bulk_item(place: int, search: BulkSearch) -> bulk.BulkItem:
    insurer, born = search.insurer_number, search.birth_date
    return bulk.BulkItem(
        item_id=str(place),
        insurer_number=insurer.digits if isinstance(insurer, InsurerNumber) else insurer or "",
        symbol=search.symbol or "",
        number=search.number or "",
        branch_number=search.branch_number or "",
        birth_date=born.isoformat() if isinstance(born, date) else born or "",
    )


def _patient(visit: Verification) -> Patient:
    if visit.coverage is None:
        raise not_done(Result.NO_VISIT)
    return Patient.of(visit.coverage)


def _record_header(envelope: Envelope) -> RecordHeader:
    return RecordHeader(
        envelope.institution_code, envelope.identifier or "", envelope.processed_at, envelope.character_code.value
    )


def _identifier(root: Element) -> str | None:
    found = (root.findtext("MessageHeader/ArbitraryFileIdentifier") or "").strip()
    return found[:IDENTIFIER_LENGTH] or None


IDENTIFIER_LENGTH: Final = 50


def _failure(api: Api, envelope: Envelope, told: Told) -> bytes:
    if api.is_record:
        said = f"{told.result.value} {told.sentence.ja}"
        return _fitted(error_message(_record_header(envelope), said), envelope)
    return _written(failed_message(envelope, told), envelope)


def _written(message: Any, envelope: Envelope) -> bytes:
    root = Element(document.ROOT)
    codec.write(message, root)
    return _fitted(root, envelope)


def _fitted(root: Element, envelope: Envelope) -> bytes:
    """Write a message; where characters were replaced, the person's part of it says so."""
    for part in root.findall("MessageBody/BulkConfirmUnit") or root.findall("MessageBody"):
        _tell_lost(part, document.fit_texts(part, envelope.character_code))
    header = root.find("MessageHeader")
    if header is not None:
        lost = document.fit_texts(header, envelope.character_code)
        if header.find("ResultCode") is not None:  # medical data have their patient in the header
            _tell_lost(header, lost)
    return document.serialise(root, envelope.character_code)


def _tell_lost(part: Element, lost: Sequence[str] | frozenset[str]) -> None:
    if not lost:
        return
    told = Told(Result.CHARACTERS_REPLACED, ", ".join(sorted(lost)))
    if part.find("ResultCode") is None and part.find("ProcessingResultCode") is None:
        SubElement(part, "ProcessingResultCode").text = told.result.value
    name = "ProcessingResultMessage" if part.find("ResultCode") is None else "MessageContents"
    said = part.find(name)
    if said is None:
        said = SubElement(part, name)
    said.text = f"{said.text or ''} {told.sentence.ja}".strip()
