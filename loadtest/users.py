"""Who Locust plays: receptionists and doctors on a Monday morning, and an insurer who pushes beside them."""

import itertools
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from locust import HttpUser, User, constant, task
from locust.clients import HttpSession
from requests.adapters import HTTPAdapter

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.encoding import b64url, b64url_decode
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from loadtest.driving.connection import terminal_tls
from loadtest.driving.deck import Deck, DeckCard, read_deck, read_keys
from loadtest.explore import READING_TERMINALS
from loadtest.pushing import Push, write_file
from loadtest.reading import AGREED, Member
from loadtest.seed import TERMINALS
from loadtest.served import Served, find, folder_of

_POOL: Final = 20
_PUSHED: Final = 300  # records of a file
_PADDING, _SHA256 = padding.PKCS1v15(), hashes.SHA256()


class _Mutual(HTTPAdapter):
    """Shows a terminal's certificate, and trusts the platform's own authority alone."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=2)

    def init_poolmanager(self, *places: Any, **options: Any) -> Any:
        return super().init_poolmanager(*places, ssl_context=self._context, **options)


@cache
def _served(folder: Path) -> Served:
    found = find(folder)
    assert found is not None  # noqa: S101 (locustfile.py has begun it, or ended)
    return found


@cache
def _deck(folder: Path) -> Deck:
    return read_deck(Path(_served(folder).deck))


@cache
def _keys(folder: Path) -> tuple[Any, ...]:
    return read_keys(folder)


@cache
def _members(folder: Path) -> Iterator[Member]:
    return itertools.cycle(_served(folder).members)


@cache
def _context(folder: Path, terminal: int) -> ssl.SSLContext:
    path = folder / "terminals" / f"{terminal:04}.crt"
    return terminal_tls(folder / "pki" / "server_authority.crt", path, path.with_suffix(".key"))


class _Counter(HttpUser):
    """A terminal with somebody at it, who takes a while for each patient."""

    abstract = True

    def on_start(self) -> None:
        """Sit down at a terminal."""
        self._folder = folder_of(self.environment.parsed_options)
        self._deck = _deck(self._folder)
        self._chance = np.random.default_rng(secrets.randbits(64))
        session: HttpSession = self.client
        session.mount("https://", _Mutual(_context(self._folder, self._terminal())))
        self._challenges: list[str] = []

    def wait_time(self) -> float:
        """Return the time to the next patient: mostly about the mean, now and then long."""
        return float(self._chance.gamma(2.0, self.environment.parsed_options.pause / 2))

    def _terminal(self) -> int:
        return int(self._chance.integers(TERMINALS))

    def _verify(self, card: DeckCard, consents: Sequence[str]) -> dict[str, Any] | None:
        """Verify a card: a challenge from the pool, the holder's PIN, the answer."""
        if not self._challenges:
            answer = self._ask("challenges", "/v1/challenges", {"count": _POOL})
            self._challenges = list(answer["challenges"]) if answer else []
            if not self._challenges:
                return None
        challenge = self._challenges.pop()
        signed = _keys(self._folder)[card.key].sign(SIGNATURE_CONTEXT + b64url_decode(challenge), _PADDING, _SHA256)
        proof = {"challenge": challenge, "certificate": card.certificate, "signature": b64url(signed)}
        asked = {"proof": proof, "method": "pin", "consents": list(consents)}
        return self._ask("verification", "/v1/verifications", asked)

    def _ask(self, name: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return self._send("POST", name, path, json=body)

    def _send(self, method: str, name: str, path: str, **parts: Any) -> dict[str, Any] | None:
        with self.client.request(method, path, name=name, catch_response=True, **parts) as answer:
            if answer.ok:
                said: dict[str, Any] = answer.json()
                return said
            # What the centre refuses, and what never came back, both stand among the failures, by their code.
            answer.failure(f"{answer.status_code} {_code(answer)}")
            return None


class Receptionist(_Counter):
    """One counter: a card is read, a PIN is thought about, now and then only a number is known.

    Terminals are spread over institutions by a power law (loadtest/seed.py), so large ones have many counters.
    """

    weight = 40

    @task(85)
    def card(self) -> None:
        """Verify the next patient's card; every fourth consents to what limits their payment."""
        card = self._deck.cards[int(self._chance.integers(len(self._deck.cards)))]
        self._verify(card, ["limit_certificate"] if self._chance.random() < 0.25 else [])

    @task(14)
    def number(self) -> None:
        """Check by the number on a paper: somebody has forgotten the card."""
        asked = json.loads(self._deck.numbers[int(self._chance.integers(len(self._deck.numbers)))].body)
        self._ask("number_verification", "/v1/number-verifications", asked)

    @task(1)
    def bulk(self) -> None:
        """Send tomorrow's appointments, and look once how far they are."""
        chosen = self._chance.integers(len(self._deck.numbers), size=50)
        items = [json.loads(self._deck.numbers[int(n)].body) | {"item_id": str(at)} for at, n in enumerate(chosen)]
        taken = self._ask("bulk_check", "/v1/bulk-verifications", {"items": items})
        if taken:
            self._send("GET", "bulk_status", f"/v1/bulk-verifications/{taken['bulk_id']}")


class Reader(_Counter):
    """A doctor who reads the medicines and the check-ups of a patient who agreed."""

    fixed_count = len(READING_TERMINALS)

    def on_start(self) -> None:
        """Sign in with password and passcode."""
        self._member = next(_members(folder_of(self.environment.parsed_options)))
        super().on_start()
        asked = {"name": self._member.name, "password": self._member.password, "passcode": self._member.passcode()}
        session = self._ask("sign_in", "/v1/staff-sessions", asked)
        self._bearer = {"Authorization": f"Bearer {session['token'] if session else ''}"}

    def _terminal(self) -> int:
        return self._member.terminal

    @task
    def read(self) -> None:
        """See a patient: the card, both consents, then what they open."""
        places = self._deck.medicated or range(len(self._deck.cards))
        card = self._deck.cards[places[int(self._chance.integers(len(places)))]]
        answer = self._verify(card, AGREED)
        if answer and answer["consents"]:  # nobody who is not covered today can agree
            path = f"/v1/verifications/{answer['verification_id']}"
            self._send("GET", "medication_reading", f"{path}/medications", headers=self._bearer)
            self._send("GET", "checkup_reading", f"{path}/checkups", headers=self._bearer)


class Pusher(User):
    """An insurer who sends what has changed, through `payer_sync push`, a file at a time."""

    fixed_count = 1
    wait_time = constant(10)

    @task
    def push(self) -> None:
        """Send a file of a few hundred records of people who are new."""
        site = folder_of(self.environment.parsed_options)
        with tempfile.TemporaryDirectory(prefix="eligibility-push-") as folder:
            file, insurer = Path(folder) / "file.csv", _exploring(site)
            write_file(file, insurer, _PUSHED, secrets.randbits(31))
            certificate = site / "insurers" / f"{insurer.digits}.crt"
            began = time.perf_counter()
            push = Push.begin(file, certificate, site / "pki" / "server_authority.crt", _served(site).intake)
            _, said = push.wait()
        self.environment.events.request.fire(
            request_type="PUSH", name="push", response_time=(time.perf_counter() - began) * 1000, response_length=0,
            exception=RuntimeError(said) if said else None, context={},
        )  # fmt: skip


def _exploring(site: Path) -> InsurerNumber:
    return InsurerNumber.parse((site / "insurers" / "exploring").read_text(encoding="ascii"))


def _code(answer: Any) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return str(answer.error or "")[:200]


def monday(seconds: float, users: int, length_s: float) -> int:
    """Return how many counters are busy after some seconds of a morning that is played in `length_s`.

    Doors open at nine: half a crowd is there at once, it is fullest at ten, and thins towards noon.
    """
    hour = 9 + 3 * min(max(seconds / length_s, 0.0), 1.0)
    known = [(9.0, 0.5), (9.5, 0.85), (10.0, 1.0), (10.5, 0.95), (11.0, 0.7), (11.5, 0.5), (12.0, 0.25)]
    share = float(np.interp(hour, [h for h, _ in known], [s for _, s in known]))
    return max(round(users * share), 1)
