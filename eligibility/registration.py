"""The first use of a card: its holder is matched to exactly one insured person, or the card is refused."""

from collections.abc import Sequence
from datetime import datetime

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.domain.codes import Method
from eligibility.domain.errors import Refused
from eligibility.domain.identifiers import PersonId, refuse_my_number
from eligibility.domain.ids import uuid7
from eligibility.domain.names import address_key
from eligibility.serving.callers import Staff, Terminal
from eligibility.storage.audit import insert_event
from eligibility.storage.lookups import holders_by_attributes
from eligibility.storage.registrations import bound_lock_waits, burn_challenge, register_card
from eligibility.verification import (
    CARD_METHODS,
    Centre,
    ChallengeReplayed,
    MethodNotByCard,
    StaffNeeded,
    prove_card,
    record_refusal,
)
from eligibility.wire.verifications import CardRegistration, CardRegistrationRequest


class HolderNotFound(Refused):
    """No insurer has stated a person with the card's name, birth date and sex."""

    code = "holder_not_found"


class HolderAmbiguous(Refused):
    """Several persons have the card's name, birth date and sex, and the address does not tell them apart."""

    code = "holder_ambiguous"


class CardRegisteredElsewhere(Refused):
    """The card is already registered to another person."""

    code = "card_registered_elsewhere"


async def register(
    centre: Centre, terminal: Terminal, request: CardRegistrationRequest, now: datetime, staff: Staff | None = None
) -> CardRegistration:
    """Register a card to the one person whose name, birth date and sex its text application states.

    Nothing is guessed: the address only tells apart persons who agree in all three.

    Raises:
        CardRefused: the card did not prove itself.
        ChallengeReplayed: the challenge was used before.
        HolderNotFound, HolderAmbiguous, CardRegisteredElsewhere: nobody, or not exactly one, can be its holder.
        MyNumberRefused: a field holds a My Number.
        StaffNeeded: the method is the visual check, and nobody of staff is signed in.
        MethodNotByCard: a card is not registered by this method.
        asyncpg.LockNotAvailableError: registrations are being taken back; nothing was done.
    """
    if request.method not in CARD_METHODS:
        raise MethodNotByCard
    if request.method is Method.VISUAL and staff is None:
        raise StaffNeeded
    refuse_my_number(request.name, "name")
    refuse_my_number(request.address, "address")
    card = await prove_card(centre, terminal, request.proof, now)
    try:
        candidates = await holders_by_attributes(centre.pool, request.birth_date, request.sex, request.name)
        person = choose_holder(candidates, request.address)
    except Refused as refused:
        await record_refusal(centre, terminal, refused.code, card, now)
        refused.audited = True
        raise

    async with centre.pool.acquire() as connection, connection.transaction():
        await bound_lock_waits(connection)
        holder, is_new = await register_card(connection, card.card_key, person, terminal.institution, now)
        if is_new:
            # It may have waited for a merge or a reversal that has put a coverage to another person.
            candidates = await holders_by_attributes(connection, request.birth_date, request.sex, request.name)
            if choose_holder(candidates, request.address) != person:
                raise HolderNotFound
        # After all that may wait: the records of all other requests would wait for whether the challenge is used up.
        if not await burn_challenge(connection, card.nonce, card.challenge_expires_at):
            raise ChallengeReplayed
        detail = {"method": request.method.value} | ({"staff": str(staff.staff_id)} if staff else {})
        code = "registered" if is_new else "already_registered" if holder == person else CardRegisteredElsewhere.code
        await insert_event(
            connection,
            AuditEvent(
                uuid7(now), now, EventKind.REGISTRATION, code, ActorKind.TERMINAL, str(terminal.terminal_id),
                institution_code=terminal.institution.code, person_id=person, detail=detail,
            ),
        )  # fmt: skip
    if holder != person:
        elsewhere = CardRegisteredElsewhere()
        elsewhere.audited = True
        raise elsewhere
    return CardRegistration(registered_at=now, already_registered=not is_new)


def choose_holder(candidates: Sequence[tuple[PersonId, str]], address: str) -> PersonId:
    """Return the one person among those who agree in name, birth date and sex.

    Raises:
        HolderNotFound: there is none.
        HolderAmbiguous: there are several, and not exactly one of them has the card's address.
    """
    persons = {person for person, _ in candidates}
    if not persons:
        raise HolderNotFound
    if len(persons) > 1:
        wanted = address_key(address)
        persons = {person for person, stated in candidates if wanted and address_key(stated) == wanted}
        if len(persons) != 1:
            raise HolderAmbiguous
    return persons.pop()
