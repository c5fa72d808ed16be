"""What a consent opens: medical records, judged when read, on record before they leave; and its withdrawal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.consent.grants import WhyNot
from eligibility.consent.roles import MAY_SEE
from eligibility.consent.showing import Basis, CardStanding, GivenConsent, decide_disclosure
from eligibility.domain.codes import ConsentClass, Outcome
from eligibility.domain.coverage import standing_of_person
from eligibility.domain.dates import day_in_japan
from eligibility.domain.errors import MalformedValue, Refused
from eligibility.domain.identifiers import InstitutionCode
from eligibility.domain.ids import uuid7
from eligibility.identity.refusals import CertificateRevoked, RevocationUnknown
from eligibility.serving.callers import Staff, Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.lookups import CardAsked
from eligibility.storage.medical import (
    Consented,
    DisclosureFacts,
    consented_checkups,
    consented_medicines,
    consented_treatments,
    disclosure_facts,
    withdraw_consent,
)
from eligibility.storage.recorder import Entry
from eligibility.verification import Centre
from eligibility.wire.checkups import CheckupHistory
from eligibility.wire.medications import MedicationHistory
from eligibility.wire.treatments import TreatmentHistory

MEDICATION_MONTHS: Final = 36  # field: medication of three years
CHECKUP_MONTHS: Final = 60  # field: check-ups of five years
TREATMENT_MONTHS: Final = MEDICATION_MONTHS  # of the same claims
SECOND_WALL_SHUT: Final = "second_wall_shut"

_T = TypeVar("_T")
_Reader = Callable[[Any, UUID, InstitutionCode, date, date], Awaitable[Consented[_T] | None]]


class VerificationNotFound(Refused):
    """There is no such verification of this institution."""

    code = "verification_not_found"


class NotShown(Refused):
    """A class of information may not be shown; the code says why."""

    def __init__(self, reason: WhyNot) -> None:
        super().__init__()
        self.code = f"not_shown_{reason.value}"


class SecondWallShut(Exception):
    """The database knows no consent where the rule found one; nothing is shown, and somebody has to look into it."""


class MalformedMonths(MalformedValue):
    """The first month is not after the last."""


@dataclass(frozen=True, slots=True)
class Months:
    """The months that are asked for; the later end is no later than now, the earlier no earlier than what is kept."""

    first: date
    last: date

    @classmethod
    def asked(cls, first: str | None, last: str | None, today: date, kept_months: int) -> "Months":
        """Read two months as YYYY-MM; what is left out or goes beyond is all there is.

        Raises:
            MalformedMonths: they are in the wrong order.
        """
        present = today.replace(day=1)
        earliest = _months_before(present, kept_months)
        begin = max(_month(first), earliest) if first else earliest
        end = min(_month(last), present) if last else present
        if begin > end:
            raise MalformedMonths(field="from")
        return cls(begin, end)

    @property
    def last_day(self) -> date:
        """The last day of the last month."""
        return _months_before(self.last, -1) - timedelta(days=1)

    @property
    def stated(self) -> tuple[str, str]:
        """Both as YYYY-MM."""
        return f"{self.first:%Y-%m}", f"{self.last:%Y-%m}"


async def read_medications(
    centre: Centre, staff: Staff, verification_id: UUID, first: str | None, last: str | None, now: datetime
) -> MedicationHistory:
    """Return the medicines of a verified person who agreed to show them; `_read` has the rule and what is raised."""
    months = Months.asked(first, last, day_in_japan(now), MEDICATION_MONTHS)
    read = await _read(centre, staff, verification_id, ConsentClass.MEDICATION, months, consented_medicines, now)
    begin, end = months.stated
    return MedicationHistory(
        verification_id=verification_id, from_month=begin, through_month=end, data_as_of=read.data_as_of,
        medicines=read.records,
    )  # fmt: skip


async def read_checkups(
    centre: Centre, staff: Staff, verification_id: UUID, first: str | None, last: str | None, now: datetime
) -> CheckupHistory:
    """Return the check-ups of a verified person who agreed to show them; `_read` has the rule and what is raised."""
    months = Months.asked(first, last, day_in_japan(now), CHECKUP_MONTHS)
    read = await _read(centre, staff, verification_id, ConsentClass.CHECKUP, months, consented_checkups, now)
    begin, end = months.stated
    return CheckupHistory(
        verification_id=verification_id, from_month=begin, through_month=end, data_as_of=read.data_as_of,
        checkups=read.records,
    )  # fmt: skip


async def read_treatments(
    centre: Centre, staff: Staff, verification_id: UUID, first: str | None, last: str | None, now: datetime
) -> TreatmentHistory:
    """Return what was done to a verified person who agreed to show it; `_read` has the rule and what is raised."""
    months = Months.asked(first, last, day_in_japan(now), TREATMENT_MONTHS)
    read = await _read(centre, staff, verification_id, ConsentClass.TREATMENT, months, consented_treatments, now)
    begin, end = months.stated
    return TreatmentHistory(
        verification_id=verification_id, from_month=begin, through_month=end, data_as_of=read.data_as_of,
        treatments=read.records,
    )  # fmt: skip


async def withdraw(
    centre: Centre, terminal: Terminal, verification_id: UUID, consent_class: ConsentClass, now: datetime
) -> None:
    """End at once what a verification's person agreed to show this institution of a class; with its event, durable.

    Raises:
        VerificationNotFound: it is another institution's, or there is none.
    """
    async with centre.pool.acquire() as connection, connection.transaction():
        ended = await withdraw_consent(connection, verification_id, terminal.institution, consent_class, now)
        if ended is None:
            raise VerificationNotFound
        person, count = ended
        event = AuditEvent(
            uuid7(now), now, EventKind.CONSENT_WITHDRAWN, "withdrawn" if count else "nothing_in_force",
            ActorKind.TERMINAL, str(terminal.terminal_id), institution_code=terminal.institution.code,
            person_id=person, verification_id=verification_id, detail={"class": consent_class.value, "ended": count},
        )  # fmt: skip
        await insert_event(connection, event)


async def _read(
    centre: Centre,
    staff: Staff,
    verification_id: UUID,
    wanted: ConsentClass,
    months: Months,
    reader: _Reader[_T],
    now: datetime,
) -> Consented[_T]:
    """Read, judge, record, in this order; nothing leaves that was not judged and is not on record.

    (1) the data, as far as the role may see such, and the database's own policies let them be read: by a consent in
    force; (2) what the verification left and the consents it brought, by the caller's institution; (3) the person's
    coverages and the card's revocation as they are now; (4) the rule; (5) the event, durable before anything leaves.
    The data are read first, so that whatever became known together with them, or before, has its say in (4). The later
    of the process's and the database's clock decides what has expired.

    Raises:
        VerificationNotFound: it is another institution's, or there is none.
        NotShown: the rule says no.
        SecondWallShut: the rule says yes, and the database no.
        RecorderAway: the event could not be made durable.
    """
    institution = staff.terminal.institution
    # (1) the data, behind the second wall
    found: Consented[_T] | None = None
    if wanted in MAY_SEE[staff.role]:
        found = await reader(centre.pool, verification_id, institution, months.first, months.last_day)

    # (2) the verification and its consents
    facts = await disclosure_facts(centre.pool, verification_id, institution)
    if facts is None:
        unknown = VerificationNotFound()
        await _record(centre, staff, None, verification_id, wanted, EventKind.REQUEST_REFUSED, unknown.code, now)
        unknown.audited = True
        raise unknown
    moment = max(now, facts.database_now)

    # (3) the person and the card now
    basis = Basis(
        institution=institution,
        found=facts.outcome,
        stands=await _stands(centre, institution, facts, moment),
        card=_card_standing(centre, facts, moment),
        consents=tuple(GivenConsent(c.consent_class, c.given_at, c.expires_at, c.withdrawn_at) for c in facts.consents),
    )

    # (4) the rule
    disclosure = decide_disclosure(basis, institution=institution, role=staff.role, now=moment)

    # (5) on record
    if wanted not in disclosure.shown:
        refused = NotShown(disclosure.withheld[wanted])
        await _record(centre, staff, facts, verification_id, wanted, EventKind.REQUEST_REFUSED, refused.code, now)
        refused.audited = True
        raise refused
    if found is None or found.person_id != facts.person_id:
        await _record(centre, staff, facts, verification_id, wanted, EventKind.REQUEST_REFUSED, SECOND_WALL_SHUT, now)
        raise SecondWallShut
    await _record(centre, staff, facts, verification_id, wanted, EventKind.DISCLOSURE, "shown", now, months)
    return found


async def _stands(centre: Centre, institution: InstitutionCode, facts: DisclosureFacts, now: datetime) -> Outcome:
    if facts.card_key is None:
        return facts.outcome
    holder = await centre.cards.find(CardAsked(facts.card_key, now, institution))
    if holder is None or holder.person_id != facts.person_id:
        return Outcome.NONE
    return standing_of_person(holder.coverages, day_in_japan(now)).outcome


def _card_standing(centre: Centre, facts: DisclosureFacts, now: datetime) -> CardStanding:
    if facts.card_key is None:
        return CardStanding.NONE
    try:
        centre.revocation.current.check_card(facts.card_key, now)
    except CertificateRevoked:
        return CardStanding.REVOKED
    except RevocationUnknown:
        return CardStanding.UNKNOWN
    return CardStanding.IN_GRACE if facts.certificate_in_grace else CardStanding.GOOD


async def _record(
    centre: Centre,
    staff: Staff,
    facts: DisclosureFacts | None,
    verification_id: UUID,
    wanted: ConsentClass,
    kind: EventKind,
    code: str,
    now: datetime,
    months: Months | None = None,
) -> None:
    detail = {"class": wanted.value, "role": staff.role.value, "terminal": str(staff.terminal.terminal_id)}
    if months:
        detail["from"], detail["through"] = months.stated
    if facts is None:  # a verification of this institution it is not
        detail["asked"] = str(verification_id)
    event = AuditEvent(
        uuid7(now), now, kind, code, ActorKind.STAFF, str(staff.staff_id),
        institution_code=staff.terminal.institution.code, person_id=facts.person_id if facts else None,
        verification_id=verification_id if facts else None, detail=detail,
    )  # fmt: skip
    await centre.recorder.record(Entry(event))


def _month(text: str) -> date:
    return date(int(text[:4]), int(text[5:]), 1)


def _months_before(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)
