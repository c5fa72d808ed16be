"""Every vector gets the answer its index names, and the generator writes the same bytes each time."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from eligibility.identity.card_authentication import CardRefused, authenticate_card
from eligibility.identity.challenge import ChallengeKey, ChallengeKeys
from eligibility.identity.revocation import RevocationDirectory
from eligibility.identity.trust import TrustStore
from eligibility.identity.verified import VerifiedCertificates
from eligibility.wire.verifications import CardProof
from tests.vectors.generate import AUTHENTICATED, generate


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    generate(folder)
    return folder


def _answer(folder: Path, index: dict[str, Any], case: dict[str, Any], lists: Path) -> tuple[str, str | None]:
    now = datetime.fromisoformat(case["now"])
    trust = TrustStore.from_folder(folder)
    for name in case["lists"]:
        (lists / name).write_bytes((folder / name).read_bytes())
    directory = RevocationDirectory(lists, trust)
    directory.refresh(now)
    proof = CardProof(
        challenge=bytes.fromhex(case["challenge"]),
        certificate=(folder / case["certificate"]).read_bytes(),
        signature=bytes.fromhex(case["signature"]),
    )
    try:
        card = authenticate_card(
            proof,
            terminal_id=UUID(index["terminal_id"]),
            trust=trust,
            revocation=directory.current,
            challenges=ChallengeKeys(ChallengeKey(bytes.fromhex(index["challenge_secret"]))),
            verified=VerifiedCertificates(),
            now=now,
        )
    except CardRefused as refused:
        return refused.code, None
    return AUTHENTICATED, card.validity.value


def test_every_vector_gets_the_answer_its_index_names(vectors: Path, tmp_path: Path) -> None:
    index = json.loads((vectors / "index.json").read_text())
    answers, expected = {}, {}
    for number, case in enumerate(index["cases"]):
        lists = tmp_path / str(number)
        lists.mkdir()
        answers[case["case"]] = _answer(vectors, index, case, lists)
        expected[case["case"]] = case["expected"], case["validity"]

    assert answers == expected
    assert len(answers) == len(index["cases"]) > 40  # no two cases share a name


def test_the_generator_writes_the_same_bytes_each_time(vectors: Path, tmp_path: Path) -> None:
    generate(tmp_path)

    files = {path.name: path.read_bytes() for path in vectors.iterdir()}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
