"""Staff who have signed in, and the visits of patients who agreed that medicines and check-ups may be read.

What a driver then sends again and again are readings; signing in (a password's hash, a passcode) and the visits
themselves are done here, before anything is measured, by the same requests as at any counter.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx
import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from eligibility.domain.codes import ConsentClass, Role
from eligibility.domain.identifiers import InstitutionCode
from eligibility.domain.ids import uuid7
from eligibility.identity.staff_factors import StaffFactors, new_passcode_secret, sign_in_key
from eligibility.storage.database import connect
from eligibility.storage.lookups import terminal_standings
from eligibility.storage.staff import StaffMember, enrol_staff, find_staff
from eligibility.wire.encoding import b64url, b64url_decode
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from loadtest.driving.connection import terminal_tls
from loadtest.driving.deck import Deck, DeckCard, read_keys
from loadtest.driving.plan import Visit
from loadtest.seed import SEED
from loadtest.site import Site, terminal_id

_NAME: Final = "負荷"  # each reading terminal's member of staff signs in so
_VISITS_EACH: Final = 8
AGREED: Final = (ConsentClass.MEDICATION.value, ConsentClass.CHECKUP.value)
_PADDING, _SHA256 = padding.PKCS1v15(), hashes.SHA256()


@dataclass(frozen=True, slots=True)
class Member:
    """A doctor at a terminal with both factors, which are made anew for each run and kept nowhere."""

    terminal: int
    name: str
    password: str = field(repr=False)
    passcode_secret: str = field(repr=False)

    def passcode(self) -> str:
        """Return what their app shows now."""
        return pyotp.TOTP(self.passcode_secret).now()


def visits(site: Site, url: str, deck: Deck, terminals: Sequence[int]) -> tuple[Visit, ...]:
    """Sign staff in on these terminals, and let some patients verify themselves there and agree.

    Raises:
        httpx.HTTPStatusError: the centre did not take one of them.
        ValueError: none of the deck's cards led to a consent.
    """
    members = enrol_members(site, terminals)
    keys, made = read_keys(site.folder), []
    cards = [deck.cards[n] for n in deck.medicated] or list(deck.cards)
    for number, member in enumerate(members):
        certificate, key = site.terminal_certificate(member.terminal)
        context = terminal_tls(site.folder / "pki" / "server_authority.crt", certificate, key)
        with httpx.Client(base_url=url, verify=context, timeout=60) as client:
            token = _sign_in(client, member)
            shown = [cards[(number * _VISITS_EACH + n) % len(cards)] for n in range(_VISITS_EACH)]
            made += [Visit(member.terminal, visit, token) for visit in _verified(client, shown, keys)]
    if not made:
        raise ValueError("no patient agreed: nothing to read")
    return tuple(made)


def enrol_members(site: Site, terminals: Sequence[int]) -> list[Member]:
    """Enrol a doctor at each terminal, or give the one who is there new factors."""
    return asyncio.run(_enrol(site, terminals))


async def _enrol(site: Site, terminals: Sequence[int]) -> list[Member]:
    factors = StaffFactors.from_file(site.folder / "keys" / "staff.key")
    password, now = secrets.token_urlsafe(), datetime.now(UTC)
    password_hash, enrolled = factors.hash_password(password), []
    connection = await connect(site.database)
    try:
        standings = await terminal_standings(connection, [terminal_id(SEED, terminal) for terminal in terminals])
        for terminal, standing in zip(terminals, standings, strict=True):
            assert standing is not None  # noqa: S101 (seeding has enrolled them)
            member = Member(terminal, f"{_NAME}{terminal}", password, new_passcode_secret())
            await _enrol_one(connection, factors, standing.institution, member, password_hash, now)
            enrolled.append(member)
    finally:
        await connection.close()
    return enrolled


async def _enrol_one(
    connection: Any,
    factors: StaffFactors,
    institution: InstitutionCode,
    member: Member,
    password_hash: str,
    now: datetime,
) -> None:
    name_key = sign_in_key(member.name)
    known = await find_staff(connection, institution, name_key)
    staff_id = known.staff_id if known else uuid7(now)
    sealed = factors.seal(member.passcode_secret, staff_id)
    kept = StaffMember(staff_id, member.name, Role.DOCTOR, password_hash, sealed, disabled=False)
    await enrol_staff(connection, institution, kept, name_key, now)


def _sign_in(client: httpx.Client, member: Member) -> str:
    asked = {"name": member.name, "password": member.password, "passcode": member.passcode()}
    return str(_posted(client, "/v1/staff-sessions", asked)["token"])


def _verified(client: httpx.Client, cards: Sequence[DeckCard], keys: Sequence[Any]) -> list[UUID]:
    found = []
    challenges = _posted(client, "/v1/challenges", {"count": len(cards)})["challenges"]
    for card, challenge in zip(cards, challenges, strict=True):
        signed = keys[card.key].sign(SIGNATURE_CONTEXT + b64url_decode(challenge), _PADDING, _SHA256)
        proof = {"challenge": challenge, "certificate": card.certificate, "signature": b64url(signed)}
        asked = {"proof": proof, "method": "pin", "consents": AGREED}
        answer = _posted(client, "/v1/verifications", asked)
        if answer["consents"]:  # nobody who is not covered today can agree
            found.append(UUID(answer["verification_id"]))
    return found


def _posted(client: httpx.Client, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(path, json=asked).raise_for_status().json()
    return answer
