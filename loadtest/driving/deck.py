"""The cards and insured numbers that a run shows at counters, made once for a site and kept beside it."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eligibility.storage.database import connect
from eligibility.wire.encoding import b64url
from loadtest.driving.plan import number_of_processes
from loadtest.nation.draws import Draws
from loadtest.pki import Jpki
from loadtest.site import Site, card_serials

_AT_ONCE: Final = 500
_ASKED: Final = ("insurer_number", "symbol", "number", "branch_number", "birth_date")


@dataclass(frozen=True, slots=True)
class DeckCard:
    """A card: its certificate as it travels, which shared key it signs with, and what its answer has to hold."""

    certificate: str
    key: int
    holder: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DeckNumber:
    """A number check: its body, and what its answer has to hold."""

    body: bytes
    holder: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Deck:
    """Cards, and number checks about the same persons or others; `medicated` are places of cards."""

    cards: tuple[DeckCard, ...]
    numbers: tuple[DeckNumber, ...]
    medicated: tuple[int, ...]  # those whose holders have medicines


async def make_deck(site: Site, seed: int, persons: int, cards: int, numbers: int | None = None) -> Path:
    """Certify the cards of some persons, drawn by the seed, unless that was done before; return the file.

    The register holds a card of everybody; certificates are made for those that are used, because an authority's
    signature costs a third of a millisecond. Two processes sign. Number checks need no card: with `numbers` they are
    about so many persons, drawn one by one from the whole nation; without, about the cards' holders.
    """
    path = site.folder / (f"deck-{cards}.json" if numbers is None else f"deck-{cards}-numbers-{numbers}.json")
    if path.exists():
        return path
    drawn = Draws(seed).below("deck", np.arange(cards * 2), persons) + 1
    # Each once, in the order drawn: the first of them in any other order would be a part of the nation.
    chosen = drawn[np.sort(np.unique(drawn, return_index=True)[1])][:cards]
    serials = [int(serial) for serial in card_serials(seed, chosen)]
    pieces = [serials[at : at + _AT_ONCE] for at in range(0, len(serials), _AT_ONCE)]
    with ProcessPoolExecutor(max_workers=number_of_processes()) as pool:
        certified = [c for part in pool.map(_certify, [site.folder] * len(pieces), pieces) for c in part]
    medicated = await _medicated(site.database, chosen.tolist())
    asked = Draws(seed).below("numbers", np.arange(numbers or 0), persons) + 1
    stated = await _stated(site.database, chosen.tolist())
    holders = {row["person_id"]: _holder(row) for row in stated}
    content = {
        "cards": [(*card, holders.get(person)) for card, person in zip(certified, chosen.tolist(), strict=True)],
        "numbers": [
            ({field: row[field] for field in _ASKED}, _holder(row))
            for row in (stated if numbers is None else await _stated(site.database, asked.tolist()))
        ],
        "medicated": [place for place, person in enumerate(chosen.tolist()) if person in medicated],
    }
    path.with_suffix(".new").write_text(json.dumps(content), encoding="utf-8")
    path.with_suffix(".new").rename(path)
    return path


def read_deck(path: Path) -> Deck:
    """Read what `make_deck` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cards = tuple(DeckCard(certificate, key, _held(holder)) for certificate, key, holder in content["cards"])
    numbers = tuple(DeckNumber(json.dumps(asked).encode(), _held(holder)) for asked, holder in content["numbers"])
    return Deck(cards, numbers, tuple(content["medicated"]))


def _held(holder: list[str] | None) -> tuple[bytes, ...]:
    # Nobody who is insured today: whatever outcome there is, but one.
    return (b'"outcome":"',) if holder is None else tuple(text.encode() for text in holder)


def read_keys(folder: Path) -> tuple[rsa.RSAPrivateKey, ...]:
    """Read a site's shared card keys."""
    found = [load_pem_private_key(p.read_bytes(), None) for p in sorted((folder / "card_keys").glob("*.pem"))]
    return tuple(key for key in found if isinstance(key, rsa.RSAPrivateKey))


def _certify(folder: Path, serials: Sequence[int]) -> list[tuple[str, int]]:
    jpki, keys, now = Jpki.load(folder / "jpki"), read_keys(folder), datetime.now(UTC)
    made = []
    for serial in serials:
        key = serial % len(keys)
        made.append((b64url(jpki.issue_auth(f"{serial:016X}", now, key=keys[key], serial=serial).der), key))
    return made


async def _medicated(database: str, persons: list[int]) -> set[int]:
    connection = await connect(database)
    try:
        rows = await connection.fetch(
            "select distinct person_id from claim_medicine where person_id = any($1) and known_to = 'infinity'", persons
        )
    finally:
        await connection.close()
    return {row["person_id"] for row in rows}


async def _stated(database: str, persons: list[int]) -> list[dict[str, Any]]:
    """Return what is stated of those who are insured today, in the order asked; of one person, what holds last."""
    connection = await connect(database, command_timeout_s=None)
    try:
        rows = await connection.fetch(
            "select person_id, insurer_number, symbol, number, branch_number, birth_date::text, name"
            " from unnest($1::bigint[]) with ordinality asked (person_id, place) join coverage using (person_id)"
            " where known_to = 'infinity' and lost_on is null and acquired_on <= current_date"
            " and not viewing_suspended order by place, acquired_on, coverage_id",
            persons,
        )
    finally:
        await connection.close()
    return [dict(row) for row in rows]


def _holder(row: dict[str, Any]) -> list[str]:
    # As they stand in an answer, one after the other or not: whose it is shows, whichever coverage it tells.
    shown = {"outcome": "valid", "birth_date": row["birth_date"], "name": row["name"]}
    return [f'"{field}":{json.dumps(value, ensure_ascii=False)}' for field, value in shown.items()]
