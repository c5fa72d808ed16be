"""Makes requests ahead of the time at which they are sent: challenges are fetched, and cards sign them."""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from eligibility.wire.encoding import b64url, b64url_decode
from eligibility.wire.verifications import MAX_CHALLENGES, SIGNATURE_CONTEXT
from loadtest.driving.connection import Answer, Connection
from loadtest.driving.deck import Deck
from loadtest.driving.plan import Visit

_PADDING: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()


@dataclass(frozen=True, slots=True)
class Request:
    """A request as pieces to be written, and what an answer of 200 has to hold to be its own."""

    pieces: list[bytes]
    expected: tuple[bytes, ...]


class PreparingFailed(Exception):
    """The centre did not hand out challenges."""


def http(path: str, body: list[bytes]) -> list[bytes]:
    """Return a POST of JSON as pieces to be written."""
    length = sum(len(piece) for piece in body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return [head.encode("ascii"), *body]


async def fetch_challenges(connection: Connection, count: int) -> list[str]:
    """Fetch challenges for the connection's terminal, as the centre wrote them.

    Raises:
        PreparingFailed: it handed out none.
    """
    fetched: list[str] = []
    while len(fetched) < count:
        wanted = min(count - len(fetched), MAX_CHALLENGES)
        came: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        connection.send(http("/v1/challenges", [json.dumps({"count": wanted}).encode()]), came.set_result)
        answer = await came
        if answer.status != 200:
            raise PreparingFailed(f"challenges: status {answer.status}: {answer.body[:300].decode(errors='replace')}")
        fetched += json.loads(answer.body)["challenges"]
    return fetched


def verification(path: str, deck: Deck, keys: Sequence[rsa.RSAPrivateKey], number: int, challenge: str) -> Request:
    """Have the card of a number sign a challenge; every fourth holder consents to what limits their payment."""
    card = deck.cards[number % len(deck.cards)]
    signed = keys[card.key].sign(SIGNATURE_CONTEXT + b64url_decode(challenge), _PADDING, _SHA256)
    consents = '["limit_certificate"]' if number % 4 == 0 else "[]"
    end = f'","signature":"{b64url(signed)}"}},"method":"pin","consents":{consents}}}'
    begin = b'{"proof":{"challenge":"' + challenge.encode() + b'","certificate":"'
    body = [begin, card.certificate.encode(), end.encode()]
    return Request(http(path, body), card.holder)


def number_verification(path: str, deck: Deck, number: int) -> Request:
    """Ask by the insured number of one of the deck's persons."""
    asked = deck.numbers[number % len(deck.numbers)]
    return Request(http(path, [asked.body]), asked.holder)


def challenges(path: str) -> Request:
    """Ask for a pool of challenges, as a terminal does ahead of its visits."""
    return Request(http(path, [b'{"count":20}']), (b'"challenges":["',))


def reading(path: str, visit: Visit) -> Request:
    """Ask for the medicines or the check-ups of a visit's patient; the path has a place for the verification."""
    line = f"GET {path.format(visit.verification_id)} HTTP/1.1"
    head = f"{line}\r\nHost: localhost\r\nAuthorization: Bearer {visit.token}\r\n\r\n"
    return Request([head.encode("ascii")], (f'"verification_id":"{visit.verification_id}"'.encode("ascii"),))


async def connected(url: str, context: ssl.SSLContext, connection: Connection) -> None:
    """Connect, or raise."""
    host, _, port = url.removeprefix("https://").partition(":")
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, host, int(port), ssl=context, server_hostname=host)
