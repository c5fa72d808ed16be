"""A centre that really runs (PostgreSQL, Redis, mutual TLS), and the people, cards and terminals around it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import FastAPI

from eligibility.__main__ import main as centre_command
from eligibility.api.app import make_app
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.names import name_key, number_key
from eligibility.serving.mutual_tls import ServerTls, make_server
from eligibility.settings import ApiSettings
from eligibility.storage.enrolment import enrol_institution, enrol_insurer, enrol_terminal
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
        made = httpx.AsyncClient(base_url=self.url, verify=context, timeout=30)
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
        return int(stated["coverage_id"])

    async def certificate(self, table: str, person: int, coverage: int, **facts: Any) -> None:
        """State a certificate of a coverage."""
        known = {"person_id": person, "coverage_id": coverage, "known_from": datetime(2026, 1, 1, tzinfo=UTC)}
        await self._insert(table, known | facts)

    async def events(self) -> list[tuple[str, str]]:
        """Return kind and code of every audit event since the enrolments, oldest first."""
        rows = await self.owner.fetch("select kind, code from audit_event where kind <> 'enrolment' order by event_id")
        return [(row["kind"], row["code"]) for row in rows]

    def write_crl(self, revoked: Sequence[KeyPair] = ()) -> None:
        """Publish fresh revocation lists, each newer than the last; the centre sees them at its next refresh."""
        self.lists_published += 1
        moment = datetime.now(UTC) - timedelta(minutes=1) + timedelta(seconds=self.lists_published)
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
        "receipt_key_file": folder / "keys" / "receipt.key", "terminal_fresh_s": 0, "revocation_refresh_s": 3600,
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
    app = make_app(settings, now=clock.now)
    world = World(app, folder, owner, authorities, clock)
    world.write_crl()
    server = make_server(app, host="127.0.0.1", port=0, tls=tls, on_started=started.set_result)
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
