"""Who was here with their card within the life of a consent: by insured number, for the requests of medical data.

Medical data belong to one verification. A request names an insured number; this book says which verification is meant.
Whether anything may be shown is for the centre to decide, at each reading.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from eligibility.domain.codes import ConsentClass
from eligibility.domain.identifiers import InsuredNumber
from eligibility.wire.verifications import Verification
from terminal_agent.bridge.results import Result, not_done
from terminal_agent.bridge.sealed import SealedStore
from terminal_agent.withdrawal import same_patient, without_consent

REMEMBERED: Final = timedelta(hours=24)  # field: a consent's life
_VISIT, _BRANCHES, _LAST, _ID = "visit", "branches", "last", "id"


class VisitBook:
    """The card visits of one terminal; others of this machine may keep theirs in the same store."""

    def __init__(self, store: SealedStore, terminal_id: UUID, now: Callable[[], datetime]) -> None:
        self._store = store
        self._terminal = terminal_id.hex
        self._now = now
        # The latest of this run, which it is also when it could not be written down, and until when it is told.
        self._latest: tuple[Verification, datetime] | None = None

    def remember(self, verification: Verification) -> None:
        """Write a card visit down; one without a coverage is remembered as the last visit alone.

        Raises:
            sqlite3.Error: it cannot be written down; it is the latest visit all the same, until this run ends.
        """
        until = self._now() + REMEMBERED
        self._latest = verification, until
        written = verification.model_dump_json().encode()
        self._put(_LAST, "", written, until)
        self._put(_ID, verification.verification_id.hex, written, until)
        coverage = verification.coverage
        if coverage is None:
            return
        insured = InsuredNumber.parse(coverage.insurer_number, coverage.symbol, coverage.number, coverage.branch_number)
        self._put(_VISIT, _name(insured, insured.branch_number), written, until)
        branches = {*self._branches(insured), insured.branch_number}
        self._put(_BRANCHES, _name(insured), json.dumps(sorted(branches)).encode(), until)

    def withdraw(self, verification_id: UUID, consent_class: ConsentClass) -> None:
        """Take a consent of a visit's patient out of the latest visit, which is told as the centre answered it."""
        last = self.last()
        if last is None:
            return
        of_last = last.verification_id == verification_id
        meant = last if of_last else _read(self._get(_ID, verification_id.hex))
        if meant is not None and same_patient(last, meant):
            told, until = without_consent(last, consent_class), last.verified_at + REMEMBERED
            self._latest = told, until
            self._put(_LAST, "", told.model_dump_json().encode(), until)

    def find(self, insured: InsuredNumber) -> Verification:
        """Return the latest visit of who has this number.

        Raises:
            NotDone: nobody was here with it, or it names several who were.
        """
        branch = insured.branch_number
        if not branch:
            branches = self._branches(insured)
            if len(branches) > 1:
                raise not_done(Result.PATIENT_AMBIGUOUS)
            branch = branches[0] if branches else ""
        visit = _read(self._get(_VISIT, _name(insured, branch)))
        if visit is None:
            raise not_done(Result.NO_VISIT)
        return visit

    def by_id(self, verification_id: UUID) -> Verification:
        """Return a visit by its verification.

        Raises:
            NotDone: there was none here.
        """
        visit = _read(self._get(_ID, verification_id.hex))
        if visit is None:
            raise not_done(Result.NO_VISIT)
        return visit

    def last(self) -> Verification | None:
        """Return the latest card visit."""
        if self._latest is not None:
            latest, until = self._latest
            return latest if self._now() <= until else None
        return _read(self._get(_LAST, ""))

    def _put(self, kind: str, name: str, content: bytes, until: datetime) -> None:
        self._store.put(kind, f"{self._terminal}\0{name}", content, until)

    def _get(self, kind: str, name: str) -> bytes | None:
        return self._store.get(kind, f"{self._terminal}\0{name}")

    def _branches(self, insured: InsuredNumber) -> list[str]:
        found = self._get(_BRANCHES, _name(insured))
        return [] if found is None else [str(branch) for branch in json.loads(found)]


def _name(insured: InsuredNumber, branch: str | None = None) -> str:
    parts = [insured.insurer.digits, insured.symbol_key, insured.number_key]
    return "\0".join(parts if branch is None else [*parts, branch])


def _read(found: bytes | None) -> Verification | None:
    try:
        return None if found is None else Verification.model_validate_json(found)
    except ValidationError:  # written by another version of this program
        return None
