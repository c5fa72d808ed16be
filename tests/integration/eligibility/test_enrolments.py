"""A terminal enrols itself: one code, one terminal, its own key, and nothing the request says about itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from eligibility.__main__ import main as centre_command
from eligibility.domain.errors import DomainError
from eligibility.domain.identifiers import InstitutionCode
from eligibility.storage.database import connect
from eligibility.storage.enrolment import close_institution, issue_enrolment_code, revoke_terminal
from eligibility.terminal_enrolment import TerminalAuthority, TerminalAuthorityRefused, code_hash, new_code
from loadtest.authority import KeyPair
from loadtest.embedded import Stores
from tests.integration.eligibility.world import INSTITUTION, OTHER_INSTITUTION, Authorities, World, running_world

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@pytest.fixture
async def world(
    tmp_path: Path, authorities: Authorities, database: str, owner: Any, running_stores: Stores
) -> AsyncIterator[World]:
    files = {
        "terminal_authority_certificate": tmp_path / "terminal_authority.crt",
        "terminal_authority_key": tmp_path / "terminal_authority.key",
        "enrolments_a_minute": 60,
    }
    async with running_world(tmp_path, authorities, database, owner, running_stores.redis_url, **files) as running:
        yield running


async def _code(world: World, *, until: timedelta = timedelta(hours=1), institution: str = INSTITUTION) -> str:
    code, now = new_code(lambda bits: uuid4().int >> (128 - bits)), datetime.now(UTC)
    code_institution = InstitutionCode(institution)
    assert await issue_enrolment_code(
        world.owner, code_hash(code), code_institution, "受付9", now - timedelta(hours=2), now + until
    )
    return code


def _request(key: Key, name: str = "", **parts: Any) -> str:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    for extension in parts.get("extensions", ()):
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


async def _enrol(world: World, code: str, request: str) -> httpx.Response:
    return await world.client(None).post("/v1/enrolments", json={"code": code, "certification_request": request})


def _client(world: World, answer: httpx.Response, key: ec.EllipticCurvePrivateKey) -> httpx.AsyncClient:
    return world.client(KeyPair(x509.load_pem_x509_certificate(answer.json()["certificate"].encode()), key))


async def test_a_code_and_a_key_become_a_terminal_that_may_ask(world: World) -> None:
    key = _key()
    answer = await _enrol(world, await _code(world), _request(key))
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["institution_code"], said["name"]) == (INSTITUTION, "受付9")
    certificate = x509.load_pem_x509_certificate(said["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"urn:eligibility:institution:{INSTITUTION}:terminal:{said['terminal_id']}"
    ]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=364) < certificate.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=365)
    asked = await _client(world, answer, key).post("/v1/challenges", json={"count": 1})
    assert asked.status_code == 200
    events = await world.owner.fetch("select code, actor from audit_event where kind = 'enrolment' order by event_id")
    assert ("terminal_enrolled", said["terminal_id"]) in [tuple(event) for event in events]


async def test_of_many_who_use_one_code_at_once_one_is_enrolled(world: World) -> None:
    code = await _code(world)
    answers = await asyncio.gather(*(_enrol(world, code, _request(_key())) for _ in range(12)))
    assert sorted(a.status_code for a in answers) == [201] + [403] * 11
    assert await world.owner.fetchval("select count(*) from terminal") == 1


async def test_an_enrolment_that_was_cut_asks_again_with_its_key(world: World) -> None:
    code, key = await _code(world), _key()
    first, again = await _enrol(world, code, _request(key)), await _enrol(world, code, _request(key))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["terminal_id"] == again.json()["terminal_id"]
    assert await world.owner.fetchval("select count(*) from terminal") == 1


async def test_a_code_is_read_however_it_was_typed(world: World) -> None:
    code = await _code(world)
    typed = code.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    assert (await _enrol(world, typed, _request(_key()))).status_code == 201


async def test_what_a_request_says_of_itself_counts_for_nothing(world: World) -> None:
    uri = x509.UniformResourceIdentifier("urn:eligibility:institution:2712345673:terminal:x")
    wishes = [x509.BasicConstraints(ca=True, path_length=None), x509.SubjectAlternativeName([uri])]
    answer = await _enrol(world, await _code(world), _request(_key(), "root", extensions=wishes))
    text = x509.load_pem_x509_certificate(answer.json()["certificate"].encode())
    assert "root" not in text.subject.rfc4514_string()
    assert not text.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "2712345673" not in str(text.extensions)


@pytest.mark.parametrize("code", ["", "-", "0" * 20, "A" * 64, "'; drop table terminal; --", "００００"])
async def test_a_wrong_code_enrols_nobody(world: World, code: str) -> None:
    await _code(world)
    assert (await _enrol(world, code or "?", _request(_key()))).json()["code"] == "enrolment_code_refused"
    assert await world.owner.fetchval("select count(*) from terminal") == 0


async def test_an_expired_code_and_that_of_a_closed_institution_are_refused_alike(world: World) -> None:
    late, closed = await _code(world, until=-timedelta(minutes=1)), await _code(world)
    refused = await _enrol(world, late, _request(_key()))
    await close_institution(
        world.owner, InstitutionCode(INSTITUTION), datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC)
    )
    assert refused.content == (await _enrol(world, closed, _request(_key()))).content
    assert await world.owner.fetchval("select count(*) from terminal") == 0
    assert await world.owner.fetchval("select count(*) from enrolment_code where used_at is not null") == 0


async def test_a_revoked_terminals_code_gives_no_second_certificate(world: World) -> None:
    code, key = await _code(world), _key()
    answer = await _enrol(world, code, _request(key))
    await revoke_terminal(world.owner, answer.json()["terminal_id"], datetime.now(UTC))
    assert (await _enrol(world, code, _request(key))).status_code == 403
    assert (await _client(world, answer, key).post("/v1/challenges", json={"count": 1})).status_code == 401


@pytest.mark.parametrize(
    "request_text",
    [
        "x",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "日本",
        _request(ec.generate_private_key(ec.SECP384R1())),
        _request(rsa.generate_private_key(65537, 2048)),
    ],
)
async def test_a_request_of_another_form_uses_no_code(world: World, request_text: str) -> None:
    code = await _code(world)
    answer = await _enrol(world, code, request_text)
    assert (answer.status_code, answer.json()["faults"][0]["pointer"]) == (422, "/certification_request")
    assert (await _enrol(world, code, _request(_key()))).status_code == 201


async def test_a_request_signed_by_another_key_is_refused(world: World) -> None:
    der = x509.load_pem_x509_csr(_request(_key()).encode()).public_bytes(serialization.Encoding.DER)
    flipped = x509.load_der_x509_csr(der[:-1] + bytes([der[-1] ^ 1]))
    answer = await _enrol(world, await _code(world), flipped.public_bytes(serialization.Encoding.PEM).decode())
    assert answer.status_code == 422


@pytest.mark.parametrize("extra", [{"institution_code": "x"}, {"terminal_id": "x"}, {"name": "x"}, {"role": "x"}])
async def test_nothing_else_may_be_said(world: World, extra: dict[str, str]) -> None:
    body = {"code": "x", "certification_request": "x"} | extra
    assert (await world.client(None).post("/v1/enrolments", json=body)).status_code == 422


async def test_tries_from_one_address_are_bounded(world: World) -> None:
    world.app.state.enrolment_throttle._clock = lambda: 0.0  # however long it takes: it is one minute
    answers = await asyncio.gather(*(_enrol(world, "wrong", _request(_key())) for _ in range(61)))
    assert sorted(a.status_code for a in answers) == [403] * 60 + [429]


async def test_a_certificate_is_renewed_for_a_new_key_by_its_holder_alone(world: World) -> None:
    key, newer = _key(), _key()
    answer = await _enrol(world, await _code(world), _request(key))
    body = {"certification_request": _request(newer)}
    renewed = await _client(world, answer, key).post("/v1/renewals", json=body)
    assert (renewed.status_code, renewed.json()["terminal_id"]) == (201, answer.json()["terminal_id"])
    assert (await _client(world, renewed, newer).post("/v1/challenges", json={"count": 1})).status_code == 200
    assert (await world.client(None).post("/v1/renewals", json=body)).status_code == 401


async def test_the_counters_role_enrols_nobody_without_a_code(world: World, database: str) -> None:
    counter = await connect(database, role="eligibility_counter")
    for statement in (
        "insert into terminal (terminal_id, institution_code, name) values (gen_random_uuid(), '1312345679', 'x')",
        "select code_hash from enrolment_code",
        "update enrolment_code set used_at = null",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await counter.execute(statement)
    await counter.close()


async def test_no_code_is_kept_or_logged(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    code = await _code(world)
    await _enrol(world, code, _request(_key()))
    kept = await world.owner.fetchval("select string_agg(enrolment_code::text, ' ') from enrolment_code")
    events = await world.owner.fetchval("select string_agg(audit_event::text, ' ') from audit_event")
    for place in (kept, events, "".join(capfd.readouterr())):
        assert code not in place
        assert code.replace("-", "") not in place


def test_a_code_has_a_hundred_bits() -> None:
    assert new_code(lambda bits: 2**bits - 1) == "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ"
    assert new_code(lambda bits: 0 if bits == 100 else 1) == "00000-00000-00000-00000"


def test_an_authority_is_a_ca_and_its_own_key(tmp_path: Path, authorities: Authorities) -> None:
    enrolment, now = authorities.enrolment, datetime.now(UTC)
    enrolment.save(tmp_path)
    leaf = enrolment.terminal(INSTITUTION, uuid4(), now).write(tmp_path, "leaf")
    pairs = [
        (tmp_path / "terminal_authority.crt", tmp_path / "insurer_authority.key"),
        leaf,
        (tmp_path / "terminal_authority.key", tmp_path / "terminal_authority.key"),
    ]
    for certificate, key in pairs:
        with pytest.raises(TerminalAuthorityRefused):
            TerminalAuthority.read(certificate, key, timedelta(days=1))
    assert issubclass(TerminalAuthorityRefused, DomainError)


async def test_a_terminal_that_is_revoked_or_stands_elsewhere_is_not_enrolled_again(
    world: World, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", database)
    terminal_id = uuid4()

    async def enrol(institution: str, name: str) -> int:
        return await asyncio.to_thread(centre_command, ["enrol-terminal", str(terminal_id), institution, name])

    async def standing() -> tuple[Any, ...]:
        events = "select count(*) from audit_event where code = 'terminal_enrolled'"
        return tuple(
            await world.owner.fetchrow(
                f"select institution_code, name, revoked_at is not null, ({events})"  # noqa: S608 (constant)
                " from terminal where terminal_id = $1",
                terminal_id,
            )
        )

    assert [await enrol(INSTITUTION, "受付"), await enrol(INSTITUTION, "受付1")] == [0, 0]
    assert await standing() == (INSTITUTION, "受付1", False, 2)
    assert await enrol(OTHER_INSTITUTION, "受付2") == 1
    assert "stands at another institution" in capsys.readouterr().err
    assert await revoke_terminal(world.owner, terminal_id, datetime.now(UTC))
    assert await enrol(INSTITUTION, "受付3") == 1
    assert await standing() == (INSTITUTION, "受付1", True, 2)
