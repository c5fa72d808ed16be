"""A centre that really runs (PostgreSQL, Redis, mutual TLS), and the people, cards and terminals around it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import FastAPI

from eligibility.__main__ import main as centre_command
from eligibility.api import budgets
from eligibility.api.app import make_app
from eligibility.domain.codes import Role
from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.names import name_key, number_key
from eligibility.identity.staff_factors import STEP_S, StaffFactors, new_passcode_secret, sign_in_key
from eligibility.serving.mutual_tls import ServerTls, make_server
from eligibility.serving.slowness import Patience
from eligibility.settings import ApiSettings
from eligibility.storage.enrolment import enrol_institution, enrol_insurer, enrol_terminal
from eligibility.storage.staff import StaffMember, enrol_staff
from eligibility.wire.encoding import b64url, b64url_decode
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from loadtest.pki import Enrolment, Jpki, KeyPair

INSTITUTION = "1312345679"
OTHER_INSTITUTION = "2712345673"
INSURER = "06130512"
OTHER_INSURER = "33120015"


@dataclass(slots=True)
class Clock:
    """The centre's clock, which a test may set ahead or back."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass(frozen=True, slots=True)
class Authorities:
    """Everything that certifies, made once for a test run, with one RSA key that all test cards share."""

    jpki: Jpki
    enrolment: Enrolment
    card_key: rsa.RSAPrivateKey


@dataclass(slots=True)
class World:
    """A running centre and what a test needs to talk to it."""

    app: FastAPI
    folder: Path
    owner: Any
    authorities: Authorities
    clock: Clock
    url: str = ""
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    lists_published: int = 0

    async def terminal(self, institution: str = INSTITUTION, *, enrol: bool = True, **overrides: Any) -> "Counter":
        """Enrol a terminal and return a counter that calls as it."""
        terminal_id = uuid4()
        if enrol:
            await enrol_terminal(self.owner, terminal_id, InstitutionCode(institution), "窓口", datetime.now(UTC))
        pair = self.authorities.enrolment.terminal(institution, terminal_id, datetime.now(UTC), **overrides)
        return Counter(self.client(pair), terminal_id, self.authorities.card_key)

    def client(self, pair: KeyPair | None) -> httpx.AsyncClient:
        """Return a client with this certificate, or with none."""
        context = ssl.create_default_context(cafile=self.folder / "server_authority.crt")
        if pair is not None:
            certificate, key = pair.write(self.folder / "clients", str(uuid4()))
            context.load_cert_chain(certificate, key)
        made = httpx.AsyncClient(base_url=self.url, verify=context, timeout=120)
        self.clients.append(made)
        return made

    def card(self, holder: str = "0123456789ABCDEF", **overrides: Any) -> KeyPair:
        """Make a card's user-authentication certificate."""
        return self.authorities.jpki.issue_auth(holder, datetime.now(UTC), key=self.authorities.card_key, **overrides)

    async def person(self, linkage_code: str | None = None) -> int:
        """Make a person and return its id."""
        return int(
            await self.owner.fetchval(
                "insert into person (linkage_code) values ($1) returning person_id", linkage_code or f"L{uuid4().hex}"
            )
        )

    async def register(self, card: KeyPair, person: int) -> None:
        """Register a card to a person, as a counter would have at its first use."""
        await self.owner.execute(
            "insert into card (card_key, person_id, registered_at, institution_code) values ($1, $2, now(), $3)",
            card_key(card), person, INSTITUTION,
        )  # fmt: skip

    async def coverage(self, person: int, **facts: Any) -> int:
        """State a coverage; the facts replace the usual ones."""
        stated = (
            _USUAL_COVERAGE | {"coverage_id": await self.owner.fetchval("select nextval('coverage_id_seq')")} | facts
        )
        stated |= {
            "person_id": person,
            "symbol_key": number_key(stated["symbol"]),
            "number_key": number_key(stated["number"]),
            "name_key": name_key(stated["name"]),
        }
        await self._insert("coverage", stated)
        await self.owner.execute(
            "insert into stated_holder (holder_hash, person_id) values (holder_hash($1, $2), $3)",
            stated["name_key"], stated["birth_date"], person,
        )  # fmt: skip
        return int(stated["coverage_id"])

    async def crowd(self, size: int, **facts: Any) -> None:
        """State one number's coverages under as many symbols, S1 and following, each of a person of its own."""
        await self.owner.execute(
            "insert into person (linkage_code) select 'S' || n from generate_series(1, $1) n", size
        )
        stated = _USUAL_COVERAGE | facts
        stated |= {"number_key": number_key(stated["number"]), "name_key": name_key(stated["name"])}
        del stated["symbol"]
        places = ", ".join(f"${n}" for n in range(1, len(stated) + 1))
        await self.owner.execute(
            f"insert into coverage (person_id, coverage_id, symbol, symbol_key, {', '.join(stated)}) "  # noqa: S608
            f"select person_id, nextval('coverage_id_seq'), linkage_code, linkage_code, {places} "
            "from person where linkage_code ~ '^S[0-9]+$'",
            *stated.values(),
        )  # fmt: skip

    async def certificate(self, table: str, person: int, coverage: int, **facts: Any) -> None:
        """State a certificate of a coverage."""
        known = {"person_id": person, "coverage_id": coverage, "known_from": datetime(2026, 1, 1, tzinfo=UTC)}
        await self._insert(table, known | facts)

    async def staff(self, role: Role, institution: str = INSTITUTION, name: str | None = None) -> "Member":
        """Enrol a member of staff."""
        member = Member(name or f"{role.ja} {uuid4().hex[:6]}", PASSWORD, new_passcode_secret(), uuid4())
        await self.enrol_again(member, role, institution)
        return member

    async def enrol_again(self, member: "Member", role: Role, institution: str = INSTITUTION) -> None:
        """Give a member of staff new factors: the same secrets, hashed and sealed anew."""
        factors = StaffFactors.from_file(self.folder / "keys" / "staff.key")
        stored = StaffMember(
            member.staff_id, member.name, role, factors.hash_password(member.password),
            factors.seal(member.secret, member.staff_id), disabled=False,
        )  # fmt: skip
        now = datetime.now(UTC)
        await enrol_staff(self.owner, InstitutionCode(institution), stored, sign_in_key(member.name), now)

    async def drug(self, **facts: Any) -> None:
        """Put a medicine into the drug master; the facts replace the usual ones."""
        await self._insert("drug", _USUAL_DRUG | facts)

    async def medicine(self, person: int | None, **facts: Any) -> None:
        """State one medicine of a claim of its own, as the merge leaves it; the facts replace the usual ones."""
        claim = await self.owner.fetchval("select nextval('claim_id_seq')")
        stated = _USUAL_MEDICINE | {"medicine_on": day_in_japan(datetime.now(UTC)) - timedelta(days=10)} | facts
        of_claim = {name: stated.pop(name) for name in _OF_CLAIM if name in stated}
        month = stated["medicine_on"].replace(day=1)
        days = {"care_month": month, "claimed_month": month, "care_from": month, "care_through": month}
        match = {"match": "no_coverage" if person is None else "matched", "person_id": person}
        about = {
            "claim_id": claim, "known_from": stated["known_from"], "receipt_key": str(claim),
            "institution_code": stated["institution_code"],
        }  # fmt: skip
        await self._insert("claim", _USUAL_CLAIM | days | match | about | of_claim)
        await self._insert("claim_medicine", stated | {"claim_id": claim, "person_id": person})

    async def treatment(self, person: int | None, **facts: Any) -> None:
        """State one line of what a claim of its own says was done; the facts replace the usual ones."""
        claim = await self.owner.fetchval("select nextval('claim_id_seq')")
        stated = _USUAL_TREATMENT | facts
        month = stated.pop("care_month", day_in_japan(datetime.now(UTC)).replace(day=1))
        days = {"care_month": month, "claimed_month": month, "care_from": month, "care_through": month}
        match = {"match": "no_coverage" if person is None else "matched", "person_id": person}
        place = {name: stated.pop(name) for name in ("institution_code", "institution_name")}
        about = {"claim_id": claim, "known_from": stated["known_from"], "receipt_key": str(claim), "kind": "medical"}
        await self._insert("claim", _USUAL_CLAIM | days | match | place | about)
        await self._insert("claim_treatment", {"days": [month]} | stated | {"claim_id": claim, "person_id": person})

    async def checkup(self, person: int, performed_on: date, *results: dict[str, Any], **facts: Any) -> None:
        """State a check-up and its results."""
        checkup = await self.owner.fetchval("select nextval('checkup_id_seq')")
        known = {"person_id": person, "checkup_id": checkup, "known_from": datetime(2026, 1, 1, tzinfo=UTC)}
        place = {"submission_id": UUID(int=0), "insurer_number": INSURER, "institution_code": INSTITUTION}
        await self._insert("checkup", known | place | {"performed_on": performed_on} | facts)
        for result in results:
            await self._insert("checkup_result", known | _USUAL_RESULT | result)

    async def events(self) -> list[tuple[str, str]]:
        """Return kind and code of every audit event since the enrolments, oldest first."""
        rows = await self.owner.fetch("select kind, code from audit_event where kind <> 'enrolment' order by event_id")
        return [(row["kind"], row["code"]) for row in rows]

    def write_crl(self, revoked: Sequence[KeyPair] = ()) -> None:
        """Publish fresh revocation lists, each newer than the last; the centre sees them at its next refresh."""
        self.lists_published += 1
        moment = self.clock.now() - timedelta(minutes=1) + timedelta(seconds=self.lists_published)
        serials = {pair.certificate.serial_number: moment - timedelta(hours=1) for pair in revoked}
        for number, authority in enumerate(self.authorities.jpki.auth):
            content = authority.crl(serials, moment, moment + timedelta(days=1))
            (self.folder / "crl" / f"{number}.crl").write_bytes(content)

    async def _insert(self, table: str, facts: dict[str, Any]) -> None:
        names = ", ".join(facts)
        places = ", ".join(f"${n}" for n in range(1, len(facts) + 1))
        await self.owner.execute(f"insert into {table} ({names}) values ({places})", *facts.values())  # noqa: S608


@dataclass(frozen=True, slots=True)
class Counter:
    """A terminal at a counter: asks for challenges, has cards sign them, sends what results."""

    http: httpx.AsyncClient
    terminal_id: UUID
    card_key: rsa.RSAPrivateKey

    async def challenge(self) -> bytes:
        """Fetch one challenge."""
        answer = await self.http.post("/v1/challenges", json={"count": 1})
        assert answer.status_code == 200, answer.text
        return b64url_decode(answer.json()["challenges"][0])

    def proof(self, card: KeyPair, challenge: bytes, *, signed: bytes | None = None) -> dict[str, str]:
        """Have a card sign a challenge."""
        assert isinstance(card.key, rsa.RSAPrivateKey)
        message = SIGNATURE_CONTEXT + (challenge if signed is None else signed)
        signature = card.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {"challenge": b64url(challenge), "certificate": b64url(card.der), "signature": b64url(signature)}

    async def verify(self, card: KeyPair, **more: Any) -> httpx.Response:
        """Verify a card with a fresh challenge."""
        proof = more.pop("proof", None) or self.proof(card, await self.challenge())
        return await self.http.post("/v1/verifications", json={"proof": proof, "method": "pin", **more})

    async def sign_in(self, member: "Member", at: datetime | None = None, **said: str) -> httpx.Response:
        """Sign a member of staff in; what is said replaces name, password or passcode."""
        passcode = said.get("passcode") or member.passcode(at)
        usual = {"name": member.name, "password": member.password, "passcode": passcode}
        return await self.http.post("/v1/staff-sessions", json=usual | said)

    async def token(self, member: "Member", at: datetime | None = None) -> dict[str, str]:
        """Sign a member of staff in and return the header of the session."""
        answer = await self.sign_in(member, at)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    async def number(self, **asked: Any) -> httpx.Response:
        """Verify an insured number; what is asked replaces the usual number."""
        usual = {
            "insurer_number": INSURER,
            "symbol": "12",
            "number": "345",
            "branch_number": "01",
            "birth_date": "1980-01-01",
        }
        return await self.http.post("/v1/number-verifications", json=usual | asked)


@dataclass(slots=True)
class Member:
    """A member of staff with both factors."""

    name: str
    password: str
    secret: str
    staff_id: UUID
    last_step: int = 0

    def passcode(self, at: datetime | None = None) -> str:
        """Return a passcode that was not shown before: of this time step, or of the next where this one is used up."""
        self.last_step = max(int((at or datetime.now(UTC)).timestamp()) // STEP_S, self.last_step + 1)
        return pyotp.TOTP(self.secret).generate_otp(self.last_step)


def card_key(card: KeyPair) -> bytes:
    """Return the key by which the centre knows a card."""
    key_id = card.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key_id is not None
    serial = card.certificate.serial_number
    return key_id + serial.to_bytes((serial.bit_length() + 7) // 8, "big")


def make_authorities() -> Authorities:
    """Make the certification authorities of a test run."""
    now = datetime.now(UTC)
    return Authorities(Jpki.create(now), Enrolment.create(now), rsa.generate_private_key(65537, 2048))


def api_settings(
    folder: Path, authorities: Authorities, database: str, redis_url: str | None, **more: Any
) -> ApiSettings:
    """Write everything the API is told by file, and return its settings."""
    authorities.enrolment.save(folder)
    certificate, key = authorities.enrolment.server(datetime.now(UTC)).write(folder, "server")
    (folder / "cards").mkdir()
    (folder / "crl").mkdir()
    for number, authority in enumerate(authorities.jpki.auth):
        (folder / "cards" / f"{number}.pem").write_bytes(authority.pem)
    assert centre_command(["make-keys", str(folder / "keys")]) == 0
    defaults = {
        "database_url": database, "redis_url": redis_url, "port": 0, "tls_certificate": certificate, "tls_key": key,
        "terminal_authorities": folder / "terminal_authority.crt", "card_authorities": folder / "cards",
        "revocation_folder": folder / "crl", "challenge_key_file": folder / "keys" / "challenge.key",
        "receipt_key_file": folder / "keys" / "receipt.key", "staff_key_file": folder / "keys" / "staff.key",
        "terminal_fresh_s": 0, "revocation_refresh_s": 3600,
    }  # fmt: skip
    return ApiSettings(**(defaults | more))


@asynccontextmanager
async def running_world(
    folder: Path, authorities: Authorities, database: str, owner: Any, redis_url: str | None, **more: Any
) -> AsyncIterator[World]:
    """Run a centre until the test is over."""
    settings = api_settings(folder, authorities, database, redis_url, **more)
    now = datetime.now(UTC)
    for institution in (INSTITUTION, OTHER_INSTITUTION):
        await enrol_institution(owner, InstitutionCode.parse(institution), "試験医院", now)
    for number in (INSURER, OTHER_INSURER):
        await enrol_insurer(owner, InsurerNumber.parse(number), f"保険者{number}", now)
    clock = Clock()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tls = ServerTls(settings.tls_certificate, settings.tls_key, settings.terminal_authorities)
    with pytest.MonkeyPatch.context() as patch:
        # A budget lets pass what it cannot count in time, on purpose: no machine is too slow here to count.
        patch.setattr(budgets, "_TIMEOUT_S", 60.0)
        app = make_app(settings, now=clock.now)
    world = World(app, folder, owner, authorities, clock)
    world.write_crl()
    server = make_server(
        app, host="127.0.0.1", port=0, tls=tls, on_started=started.set_result, patience=PATIENCE,
        turn_away=app.state.admission.turn_away,
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    try:
        done, _ = await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        assert started in done, "the centre did not start"
        world.url = f"https://127.0.0.1:{started.result()}"
        yield world
    finally:
        for client in world.clients:
            await client.aclose()
        server.should_exit = True
        await serving


AT_ONCE = 3  # requests that a narrow centre works on
PATIENCE = Patience(arrival_s=300)  # with a test's own client, which may be the slowest of all
PASSWORD = "correct horse battery"
_USUAL_DRUG: dict[str, Any] = {
    "drug_code": "620900101", "name": "アサガオ錠５ｍｇ", "unit": "錠", "form": "1", "yj_code": "9991001F1011",
    "ingredient": "9991001", "active": True, "loaded_at": datetime(2026, 1, 1, tzinfo=UTC),
}  # fmt: skip
_USUAL_CLAIM: dict[str, Any] = {
    "submission_id": UUID(int=0), "kind": "dispensing", "institution_name": "試験薬局", "receipt_type": "4112",
    "insurer_number": INSURER, "symbol": "12", "number": "345", "branch_number": "01", "symbol_key": "12",
    "number_key": "345", "birth_date": date(1980, 1, 1), "sex": "1", "content_digest": bytes(32),
}  # fmt: skip
_OF_CLAIM = ("kind", "institution_name", "prescriber_name")
_USUAL_MEDICINE: dict[str, Any] = {
    "known_from": datetime(2026, 1, 1, tzinfo=UTC), "line": 1, "position": 0, "group_number": 1,
    "usage_group": "oral", "drug_code": "620900101", "drug_known": True, "drug_name": "アサガオ錠５ｍｇ", "unit": "錠",
    "quantity": Decimal("1.5"), "days_or_times": 14, "institution_code": INSTITUTION, "day_stated": True,
}  # fmt: skip
_USUAL_TREATMENT: dict[str, Any] = {
    "known_from": datetime(2026, 1, 1, tzinfo=UTC), "line": 1, "group_number": 1, "record_type": "SI",
    "service_class": "60", "code": "160008010", "times": 1, "points": 21, "institution_code": INSTITUTION,
    "institution_name": "試験医院",
}  # fmt: skip
_USUAL_RESULT: dict[str, Any] = {
    "item_code": "9N011000000000001", "result_kind": "PQ", "value": "23.4", "value_name": "", "unit": "kg/m2",
    "low": Decimal("18.5"), "high": Decimal("24.9"), "flag": "N",
}  # fmt: skip
_USUAL_COVERAGE: dict[str, Any] = {
    "known_from": datetime(2026, 1, 1, tzinfo=UTC),
    "submission_id": UUID(int=0),
    "insurer_number": INSURER,
    "symbol": "12",
    "number": "345",
    "branch_number": "01",
    "name": "山田　太郎",
    "name_kana": "ﾔﾏﾀﾞ ﾀﾛｳ",
    "birth_date": date(1980, 1, 1),
    "sex": "1",
    "postal_code": "100-0001",
    "address": "東京都千代田区千代田１丁目１番",
    "relation": "1",
    "card_class": "01",
    "acquired_on": date(2020, 4, 1),
    "copayment_percent": 30,
    "preschool": False,
    "viewing_suspended": False,
}
