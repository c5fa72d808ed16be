"""An institution's own number of a patient: registered once, and told with every later answer about them."""

from datetime import datetime

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.errors import Refused
from eligibility.domain.identifiers import InsuredNumber, refuse_my_number
from eligibility.domain.ids import uuid7
from eligibility.serving.callers import Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.reference_numbers import checked_persons, give_reference_number
from eligibility.storage.registrations import bound_lock_waits
from eligibility.verification import Centre
from eligibility.wire.bulk import ReferenceNumberRegistered, ReferenceNumberRegistration


class PatientNotChecked(Refused):
    """The institution has checked nobody who carries this insured number."""

    code = "patient_not_checked"


class PatientAmbiguous(Refused):
    """The institution has checked several who carry this insured number; symbol and branch number tell them apart."""

    code = "patient_ambiguous"


async def register_reference_number(
    centre: Centre, terminal: Terminal, request: ReferenceNumberRegistration, now: datetime
) -> ReferenceNumberRegistered:
    """Give the institution's number to the one patient who carries the insured number.

    The field's message has no birth date, so nobody can be named whom the institution has not checked before: a
    guesser learns nothing from it that a check had not told.

    Raises:
        MalformedValue: a part of the number is malformed, or a value is a My Number.
        PatientNotChecked, PatientAmbiguous: nobody, or not exactly one, can be meant.
        ReferenceNumberTaken: the number is another patient's.
        asyncpg.LockNotAvailableError: registrations are being taken back; nothing was done.
    """
    insured = InsuredNumber.parse(request.insurer_number, request.symbol, request.number, request.branch_number)
    reference_number = refuse_my_number(request.reference_number, "reference_number")
    persons = await checked_persons(centre.pool, insured, terminal.institution)
    if persons is None or len(persons) > 1:
        raise PatientAmbiguous
    if not persons:
        raise PatientNotChecked
    async with centre.pool.acquire() as connection, connection.transaction():
        await bound_lock_waits(connection)
        replaced = await give_reference_number(connection, persons[0], terminal.institution, reference_number, now)
        # It may have waited for a merge or a reversal that has put a coverage to another person.
        if await checked_persons(connection, insured, terminal.institution) != persons:
            raise PatientNotChecked
        await insert_event(
            connection,
            AuditEvent(
                uuid7(now), now, EventKind.REFERENCE_NUMBER, "replaced" if replaced else "registered",
                ActorKind.TERMINAL, str(terminal.terminal_id), institution_code=terminal.institution.code,
                person_id=persons[0],
            ),
        )  # fmt: skip
    return ReferenceNumberRegistered(registered_at=now, replaced=replaced)
