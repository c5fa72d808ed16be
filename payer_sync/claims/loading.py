"""Loads a UKE file: receipts are checked in a thread, copied to staging, matched to persons, and merged as claims."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.claims.checking import ClaimCheck
from payer_sync.claims.claim import Claim, Extracted, Medicine, Share, Treatment
from payer_sync.claims.records import Uke
from payer_sync.faults import FaultCode, FileRefused, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_COPY_TIMEOUT_S: Final = 600.0
_BEGIN: Final = (
    "begin_staged_claims",
    "begin_staged_claim_shares",
    "begin_staged_claim_medicines",
    "begin_staged_claim_treatments",
)
_CLOSE: Final = ("close_claims", "close_claim_shares", "close_claim_medicines", "close_claim_treatments")
_ADD: Final = ("add_claim_shares", "add_claim_medicines", "add_claim_treatments")
_NUMBER: Final = "HO 被保険者証等の番号"
_RECEIPT: Final = "RE レセプト番号"
# PostgreSQL's format() puts the insurer's number into both languages.
_COVERED_ELSEWHERE: Final = both(
    "診療日に資格のある保険者(%1$s)への請求(レセプトは人に結び付けず保存)",
    "a claim to insurer %1$s, which covered the day of care; kept without a person",
)
_MOVED: Final = both("自分の保険者番号で登録済みのレセプト", "a receipt known as one of the insurer that sends it")
_REPLACED: Final = both(
    "この検索番号で登録済みの保険者・番号・生年月日(登録済みのレセプトをこのレセプトに置き換えた)",
    "the insurer, number and birth date known for this search number; what was known was replaced by this receipt",
)
_BOTH_KEPT: Final = both(
    "このレセプト番号で登録済みの番号・生年月日(別のレセプトとして両方を残した)",
    "the number and birth date known for this receipt number; both are kept as two receipts",
)
_DUPLICATE: Final = both(
    "同じ人・医療機関・月・種別のレセプトは一つ(請求年月 %1$s・番号 %2$s のレセプトも登録済み。両方を残した)",
    "one receipt of a person, institution, month and type; that of month of claim %1$s, number %2$s is known, too, and"
    " both are kept",
)
_WARNINGS: Final = (
    ("tell_sex_disagrees", FaultCode.SEX_DISAGREES, "RE 男女区分"),
    ("tell_coverage_ends_within", FaultCode.COVERAGE_ENDS_WITHIN, _NUMBER),
    ("tell_drug_unknown", FaultCode.DRUG_UNKNOWN, "IY 医薬品コード"),
)


class ClaimContent:
    """The content of one UKE file (see payer_sync.contents.Content)."""

    def __init__(self, uke: Uke, connection: Any, filed: Filed, path: Path, feedback: FeedbackWriter) -> None:
        self._uke = uke
        self._connection = connection
        self._sender = filed.insurer
        self._submission_id = filed.submission.submission_id
        self._path = path
        self._feedback = feedback
        self._reviews = False
        self.read = 0
        self.refused = 0

    async def stage(self, aside: Any | None) -> None:
        """Check every receipt and copy those that hold.

        Raises:
            FileRefused: the file cannot be read to its end.
        """
        self._reviews = bool(await self._connection.fetchval(_SQL["reviews_claims"], self._sender.digits))
        for statement in _BEGIN:
            await self._connection.execute(_SQL[statement])
        insurer = None if self._reviews else self._sender
        check = ClaimCheck(self._path, self._uke, insurer, day_in_japan(datetime.now(UTC)))
        batches = check.batches()
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                self.read, self.refused = check.read, check.refused
                self._feedback.keep(batch.faults)
                await self._copy(batch.receipts)
        except FileRefused:
            self._feedback.keep(check.rest())
            raise

    async def merge(self) -> tuple[int, int]:
        """Match the claims to persons and merge them; return how many records were refused and how many changed."""
        await self._connection.execute(_SQL["analyze_claims"])
        await self._connection.execute(_SQL["lock_matched_claims"])
        await self._connection.execute(_SQL["match_claims"])
        await self._connection.execute(_SQL["mark_public_claims"])
        await self._connection.execute(_SQL["route_claims"])
        await self._connection.execute(_SQL["plan_claims"], self._reviews)
        await self._tell_all()
        known_from = await self._connection.fetchval(_SQL["claim_merge_time"])
        for statement in _CLOSE:
            await self._connection.execute(_SQL[statement], known_from)
        await self._connection.execute(_SQL["add_claims"], known_from, self._submission_id)
        for statement in _ADD:
            await self._connection.execute(_SQL[statement], known_from)
        # Not before: what another receipt of this file has just replaced is no longer known.
        await self._tell("tell_likely_duplicates", FaultCode.LIKELY_DUPLICATE, _RECEIPT, _DUPLICATE)
        refused: int = await self._connection.fetchval(_SQL["refused_claim_records"])
        merged: int = await self._connection.fetchval(_SQL["changed_claim_records"])
        return refused, merged

    async def _copy(self, receipts: list[Extracted]) -> None:
        for table, columns, rows in (
            ("staged_claim", Claim._fields, [e.claim for e in receipts]),
            ("staged_claim_share", Share._fields, [row for e in receipts for row in e.shares]),
            ("staged_claim_medicine", Medicine._fields, [row for e in receipts for row in e.medicines]),
            ("staged_claim_treatment", Treatment._fields, [row for e in receipts for row in e.treatments]),
        ):
            if rows:
                await self._connection.copy_records_to_table(
                    table, records=rows, columns=columns, timeout=_COPY_TIMEOUT_S
                )

    async def _tell_all(self) -> None:
        await self._tell("refuse_moved_claims", FaultCode.OTHER_INSURER, _RECEIPT, _MOVED)
        code = FaultCode.NO_COVERAGE_ON_DAY
        await self._tell("tell_no_coverage", code, _NUMBER, code.expected, _COVERED_ELSEWHERE)
        await self._tell("tell_holder_differs", FaultCode.HOLDER_DIFFERS, _NUMBER, _REPLACED, _BOTH_KEPT, _RECEIPT)
        code = FaultCode.SEVERAL_PERSONS
        await self._tell("tell_several_persons", code, "SN 枝番", code.expected, _NUMBER)
        for statement, warning, name in _WARNINGS:
            await self._tell(statement, warning, name, warning.expected)

    async def _tell(self, statement: str, code: FaultCode, name: str, *texts: str) -> None:
        done: str = await self._connection.execute(
            _SQL[statement], self._submission_id, self._feedback.told, code.value, name, *texts
        )
        self._feedback.told += int(done.rpartition(" ")[2])
