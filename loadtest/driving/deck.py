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


@dataclass(frozen=True, slots=True)
class DeckCard:
    """A card: its certificate as it travels, and which of the shared keys it signs with."""

    certificate: str
    key: int


@dataclass(frozen=True, slots=True)
class Deck:
    """Cards, and bodies of number checks about the same persons or others; `medicated` are places of cards."""

    cards: tuple[DeckCard, ...]
    numbers: tuple[bytes, ...]
    medicated: tuple[int, ...]  # those whose holders have medicines


async def make_deck(site: Site, seed: int, persons: int, cards: int, numbers: int | None = None) -> Path:
    """Certify the cards of some persons, drawn by the seed, unless that was done before; return the file.

    The register holds a card of everybody; certificates are made for those that are used, because an authority's
    signature costs a third of a millisecond. Two processes sign. Number checks need no card: with `numbers` they are
    about so many persons, drawn one by one from the whole nation; without, about the cards' holders.
    """
    path = site.folder / (f"cards-{cards}.json" if numbers is None else f"cards-{cards}-numbers-{numbers}.json")
    if path.exists():
        return path
    drawn = Draws(seed).below("deck", np.arange(cards * 2), persons) + 1
    chosen = np.unique(drawn)[:cards]
    serials = [int(serial) for serial in card_serials(seed, chosen)]
    pieces = [serials[at : at + _AT_ONCE] for at in range(0, len(serials), _AT_ONCE)]
    with ProcessPoolExecutor(max_workers=number_of_processes()) as pool:
        certified = [c for part in pool.map(_certify, [site.folder] * len(pieces), pieces) for c in part]
    medicated = await _medicated(site.database, chosen.tolist())
    asked = chosen if numbers is None else Draws(seed).below("numbers", np.arange(numbers), persons) + 1
    content = {
        "cards": certified,
        "numbers": await _numbers(site.database, asked.tolist()),
        "medicated": [place for place, person in enumerate(chosen.tolist()) if person in medicated],
    }
    path.with_suffix(".new").write_text(json.dumps(content), encoding="utf-8")
    path.with_suffix(".new").rename(path)
    return path


def read_deck(path: Path) -> Deck:
    """Read what `make_deck` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cards = tuple(DeckCard(certificate, key) for certificate, key in content["cards"])
    return Deck(cards, tuple(json.dumps(number).encode() for number in content["numbers"]), tuple(content["medicated"]))


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


async def _numbers(database: str, persons: list[int]) -> list[dict[str, Any]]:
    connection = await connect(database, command_timeout_s=None)
    try:
        rows = await connection.fetch(
            "select insurer_number, symbol, number, branch_number, birth_date"
            " from unnest($1::bigint[]) with ordinality asked (person_id, place) join coverage using (person_id)"
            " where known_to = 'infinity' and lost_on is null order by place, coverage_id",
            persons,
        )
    finally:
        await connection.close()
    return [dict(row) | {"birth_date": row["birth_date"].isoformat()} for row in rows]
