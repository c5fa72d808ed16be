"""The ceiling: what the same machine answers when a verification is nothing but the work that cannot be left out.

A bare ASGI app with asyncpg on the same PostgreSQL and the same data, behind the same TLS: parse JSON; the challenge's
MAC; the card's RSA signature, by a key remembered by the certificate's digest; one look-up by card; one durable INSERT
shared by those who wait; answer. A number check is the same without a card: one look-up by number, one insert.

It judges no revocation, no profile, no consent and no coverage but the one acquired last, counts no budget, signs no
receipt and keeps no audit: it is never to be used, only to be compared with, and all that the centre does besides
counts against the centre.

`python -m loadtest.bench.ceiling` reads the settings of `python -m eligibility api` and listens as that does.
"""

import asyncio
import hashlib
import hmac
import json
import os
import struct
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eligibility.api.app import COUNTER_ROLE
from eligibility.domain.names import number_key
from eligibility.serving.mutual_tls import ServerTls
from eligibility.serving.workers import serve_with_workers
from eligibility.settings import ApiSettings
from eligibility.storage.database import connect, open_pool
from eligibility.wire.verifications import SIGNATURE_CONTEXT

TABLE: Final = f"""
create table if not exists ceiling_record (
    nonce       bytea primary key,
    recorded_at timestamptz not null,
    person_id   bigint,
    coverage_id bigint
);
truncate ceiling_record;
grant select, insert on ceiling_record to {COUNTER_ROLE};
"""
_BY_CARD: Final = """
select c.person_id, c.coverage_id, c.insurer_number, c.symbol, c.number, c.branch_number, c.name, c.birth_date,
       c.acquired_on, c.lost_on, c.copayment_percent
from card join coverage c using (person_id)
where card.card_key = $1 and c.known_to = 'infinity'
order by c.acquired_on desc limit 1
"""
_BY_NUMBER: Final = """
select c.person_id, c.coverage_id, c.insurer_number, c.symbol, c.number, c.branch_number, c.name, c.birth_date,
       c.acquired_on, c.lost_on, c.copayment_percent
from coverage c
where c.insurer_number = $1 and c.number_key = $2 and c.symbol = $4 and c.branch_number = $5
    and c.birth_date = $3::text::date and c.known_to = 'infinity'
order by c.acquired_on desc limit 1
"""
_INSERT: Final = """
insert into ceiling_record (nonce, recorded_at, person_id, coverage_id)
select * from unnest($1::bytea[], $2::timestamptz[], $3::bigint[], $4::bigint[]) on conflict do nothing
"""
_BODY: Final = struct.Struct(">B4sQ16s")
_LABEL: Final = b"eligibility-challenge/v1"
_PADDING, _SHA256 = padding.PKCS1v15(), SHA256()
_LARGEST_GROUP: Final = 500
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Ceiling:
    """The app: a pool for look-ups, a connection for inserts, a secret, and those who wait for the next insert."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._secret = settings.challenge_key_file.read_bytes()[:32]
        self._pool: Any = None
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        """Answer one request, or live through the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(body)
        if scope["path"] == "/v1/verifications":
            status, said = await self._verify(scope, asked)
        else:
            status, said = await self._verify_number(asked)
        content = json.dumps(said, ensure_ascii=False, default=str, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _verify(self, scope: MutableMapping[str, Any], asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        proof = asked["proof"]
        challenge, der, signature = (_decode(proof[name]) for name in ("challenge", "certificate", "signature"))
        terminal = _terminal(scope["extensions"]["tls"]["client_cert_chain"][0])
        head, mac = challenge[: _BODY.size], challenge[_BODY.size :]
        if not hmac.compare_digest(hmac.digest(self._secret, _LABEL + head + terminal, "sha256"), mac):
            return 401, {"code": "challenge_forged"}
        nonce = _BODY.unpack(head)[3]
        card_key, key = _card(hashlib.sha256(der).digest(), der)
        try:
            key.verify(signature, SIGNATURE_CONTEXT + challenge, _PADDING, _SHA256)
        except InvalidSignature:
            return 401, {"code": "signature_refused"}
        return await self._answer(nonce, await self._pool.fetchrow(_BY_CARD, card_key))

    async def _verify_number(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        insurer, number, symbol, branch = (
            asked[field] for field in ("insurer_number", "number", "symbol", "branch_number")
        )
        row = await self._pool.fetchrow(_BY_NUMBER, insurer, number_key(number), asked["birth_date"], symbol, branch)
        return await self._answer(os.urandom(16), row)

    async def _answer(self, nonce: bytes, row: Any) -> tuple[int, dict[str, Any]]:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        now = time.time()
        self._waiting.append(((nonce, now, row and row["person_id"], row and row["coverage_id"]), durable))
        self._arrived.set()
        await durable
        return 200, {"outcome": "valid" if row else "none", "verified_at": now, "coverage": dict(row) if row else None}

    async def _write(self, writer: Any) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:_LARGEST_GROUP], self._waiting[_LARGEST_GROUP:]
                nonces, times, persons, coverages = zip(*(row for row, _ in group), strict=True)
                moments = [_moment(t) for t in times]
                await writer.execute(_INSERT, nonces, moments, persons, coverages)
                for _, durable in group:
                    if not durable.done():
                        durable.set_result(None)

    async def _live(self, receive: Any, send: Send) -> None:
        await receive()
        # The centre's own pool, with one connection more: an insert that many wait for queues behind no look-up.
        address, size = self._settings.database_url.get_secret_value(), self._settings.pool_size + 1
        self._pool = await open_pool(address, role=COUNTER_ROLE, size=size)
        async with self._pool.acquire() as writer:
            writing = asyncio.create_task(self._write(writer))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            writing.cancel()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


@lru_cache(maxsize=50_000)
def _terminal(pem: str) -> bytes:
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    urn = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    return bytes.fromhex(urn.rpartition(":")[2].replace("-", ""))


_known: dict[bytes, tuple[bytes, rsa.RSAPublicKey]] = {}


def _card(digest: bytes, der: bytes) -> tuple[bytes, rsa.RSAPublicKey]:
    known = _known.get(digest)
    if known is None:
        certificate = x509.load_der_x509_certificate(der)
        key_id = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        serial, key = certificate.serial_number, certificate.public_key()
        assert key_id is not None  # noqa: S101 (the deck's certificates have one)
        assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101
        known = _known[digest] = key_id + serial.to_bytes((serial.bit_length() + 7) // 8, "big"), key
    return known


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def main() -> int:
    """Serve until SIGTERM."""
    settings = ApiSettings()
    tls = ServerTls(settings.tls_certificate, settings.tls_key, settings.terminal_authorities)

    def started(port: int) -> None:
        sys.stdout.write(json.dumps({"event": "listening", "port": port}) + "\n")
        sys.stdout.flush()

    asyncio.run(make_table(settings.database_url.get_secret_value()))
    return serve_with_workers(
        Ceiling(settings), workers=settings.workers, host=settings.host, port=settings.port, tls=tls, turn_away=None,
        on_started=started,
    )  # fmt: skip


async def make_table(address: str) -> None:
    """Make the table of the ceiling's records, or empty it: no run writes into what another has left."""
    connection = await connect(address)
    await connection.execute(TABLE)
    await connection.close()


if __name__ == "__main__":
    sys.exit(main())
