"""The mis-link guard: keeps records from the register whose linkage code means somebody else than their holder.

A record whose linkage code is known must agree with what is stated of that person now: by birth date, sex, kana and
kanji name, in normal forms. What disagrees is quarantined in a case, before any counter sees it.
"""

from datetime import datetime
from typing import Any, Final

import polars as pl

from eligibility.domain.codes import Sex
from eligibility.domain.dates import day_in_japan
from eligibility.storage.statements import statements
from payer_sync.faults import FaultCode, both
from payer_sync.feedback import FeedbackWriter
from payer_sync.layouts.layout import Layout
from payer_sync.normal_forms import kana_keys, name_keys, sounds
from payer_sync.submission import Filed

_SQL = statements("payer_sync.queries")
_AT_ONCE: Final = 100_000
_STATED: Final = ("birth_date", "sex", "name", "name_kana")  # the fields compared; also the order of the reasons
_SCHEMA: Final = {
    "record_number": pl.Int64, "person_id": pl.Int64,
    "name": pl.String, "name_kana": pl.String, "birth_date": pl.Date, "sex": pl.String,
    "known_name": pl.String, "known_name_kana": pl.String, "known_birth_date": pl.Date, "known_sex": pl.String,
}  # fmt: skip
_BETWEEN: Final = "|"  # stands for the space between parts of a name; it is no sound, and no name has it
_CODES: Final = {
    "mismatch": FaultCode.MISLINK_SUSPECTED,
    "review": FaultCode.MISLINK_REVIEW,
    "swapped": FaultCode.PERSONS_SWAPPED,
    "claimed_twice": FaultCode.CLAIMED_TWICE,
}
# PostgreSQL's format() fills in the fields and the case, or the other insurer's number.
_KEPT: Final = {
    kind: both(f"{code.ja}(相違: %1$s、事案番号 %2$s)", f"{code.en} (it differs in %1$s; case %2$s)")
    for kind, code in _CODES.items()
}
_DOUBTED: Final = both(
    "保険者 %1$s の記載と一致する紐付番号(事案番号 %2$s)", "a linkage code that insurer %1$s agrees with (case %2$s)"
)
_LOSS_KEPT: Final = both(f"{FaultCode.LOSS_KEPT.ja}(事案番号 %1$s)", f"{FaultCode.LOSS_KEPT.en} (case %1$s)")
_OVERLAPPING: Final = both(
    "保険者 %1$s の資格と重ならない期間(先の資格の喪失を確かめること)",
    "days that no coverage at insurer %1$s has; check the loss of the earlier one",
)


class Guard:
    """The guard of one merge, between its plan and its facts."""

    def __init__(self, connection: Any, filed: Filed, layout: Layout, feedback: FeedbackWriter, now: datetime) -> None:
        self._connection = connection
        self._insurer = filed.insurer.digits
        self._submission = filed.submission.submission_id
        self._layout = layout
        self._feedback = feedback
        self._now = now

    async def supersede_cases(self, *, whole: bool) -> None:
        """Put kept records out of date that the file states anew or, if it is the whole register, leaves out."""
        if not await self._has_open_cases():
            return
        await self._connection.execute(_SQL["supersede_stated"], self._insurer, self._now)
        if whole:
            today = day_in_japan(self._now)
            await self._connection.execute(_SQL["supersede_left_out"], self._insurer, self._now, today)
        await self._connection.execute(_SQL["close_superseded"], self._insurer, self._now)

    async def quarantine_mislinked(self) -> int:
        """Take records out of the plan that disagree with what is known of their person; return how many."""
        await self._connection.execute(_SQL["begin_guard_findings"])
        await self.find_links()
        if not await self._compare():
            return 0
        kept = await self._open_cases("mismatch", "review", "swapped")
        await self._connection.execute(_SQL["take_out_quarantined"])
        return kept

    async def find_links(self) -> None:
        """Find what is stated now of the persons whom the planned records mean."""
        await self._connection.execute(_SQL["begin_known_links"])
        await self._connection.execute(_SQL["find_known_links"], self._insurer)
        await self._connection.execute(_SQL["find_former_links"])

    async def quarantine_claimed_twice(self, told_before: int) -> None:
        """Open cases for what was refused since then because one person would have two insured numbers at once."""
        reason = self._layout.column("number").name
        if await self._count(_SQL["find_claimed_twice"], self._submission, told_before, reason, self._insurer):
            await self._open_cases("claimed_twice")

    async def keep_losses(self) -> None:
        """Put losses of coverages that are known only as open cases keep them on the records kept; tell the insurer."""
        if await self._has_open_cases():
            field, code = self._layout.column("acquired_on").name, FaultCode.LOSS_KEPT.value
            self._feedback.told += await self._count(
                _SQL["keep_losses"], self._submission, self._feedback.told, code, field, _LOSS_KEPT, self._insurer
            )

    async def tell_overlaps(self) -> None:
        """Tell both insurers of coverages of one person whose days overlap."""
        field, text = self._layout.column("acquired_on").name, _OVERLAPPING
        code = FaultCode.COVERED_ELSEWHERE.value
        told = await self._count(
            _SQL["tell_covered_elsewhere"], self._submission, self._feedback.told, code, field, text
        )
        self._feedback.told += told
        if told:
            await self._count(_SQL["notify_covered_elsewhere"], self._now, self._insurer, code, text)

    async def notify_overlaps(self) -> None:
        """Leave a notice of the same for both insurers, where no file is there to tell it in."""
        code = FaultCode.COVERED_ELSEWHERE.value
        for statement in (_SQL["notify_own_overlaps"], _SQL["notify_covered_elsewhere"]):
            await self._connection.execute(statement, self._now, self._insurer, code, _OVERLAPPING)

    async def tell_notices(self) -> None:
        """Tell the insurer what others' files and operators have caused since its last file."""
        told = await self._count(_SQL["tell_notices"], self._submission, self._feedback.told, self._insurer)
        self._feedback.told += told

    async def _has_open_cases(self) -> bool:
        found: bool = await self._connection.fetchval(_SQL["insurer_has_open_cases"], self._insurer)
        return found

    async def _compare(self) -> bool:
        found = await self._disagreeing(_SQL["disagreeing_links"])
        kept = [record for records in found for record in records["record_number"]]
        code = self._layout.column("linkage_code").name
        put_back = await self._connection.fetch(_SQL["keep_put_back"], kept, code)
        kept += [row["record_number"] for row in put_back]
        found += await self._disagreeing(_SQL["disagreeing_records"], kept)
        if not found:  # as of nearly all files: what compares would be made ready for nothing
            return bool(put_back)
        names = {field: self._layout.column(field).name for field in _STATED}
        findings = with_swaps(pl.concat(found)).select(
            "record_number", "lead_record", "person_id", "kind",
            reasons=pl.col("reasons").list.eval(pl.element().replace_strict(names)),
        )  # fmt: skip
        await self._connection.copy_records_to_table(
            "guard_finding", records=findings.iter_rows(), columns=findings.columns
        )
        return bool(put_back) or not findings.is_empty()

    async def _disagreeing(self, statement: str, *arguments: object) -> list[pl.DataFrame]:
        found = []
        cursor = await self._connection.cursor(statement, *arguments)
        begun: list[tuple[object, ...]] = []  # a record whose statements may go on in the next rows
        while rows := await cursor.fetch(_AT_ONCE):
            begun += map(tuple, rows)
            last = begun[-1][0]
            whole = next(n for n, row in enumerate(begun) if row[0] == last)
            found.append(disagreements(_pairs(begun[:whole])))
            begun = begun[whole:]
        if begun:
            found.append(disagreements(_pairs(begun)))
        return found

    async def _open_cases(self, *kinds: str) -> int:
        await self._connection.execute(_SQL["open_cases"], self._now, self._submission, self._insurer, kinds)
        await self._connection.execute(_SQL["quarantine_records"], self._submission, kinds)
        field = self._layout.column("linkage_code").name
        kept = 0
        for kind in kinds:
            kept += await self._count(
                _SQL["tell_quarantined"],
                self._submission, self._feedback.told + kept, _CODES[kind].value, field, _KEPT[kind], kind,
            )  # fmt: skip
        self._feedback.told += kept
        await self._connection.execute(
            _SQL["tell_other_sides"],
            self._now, self._submission, self._insurer, FaultCode.MISLINK_ELSEWHERE.value, _DOUBTED, kinds,
        )  # fmt: skip
        return kept

    async def _count(self, statement: str, *arguments: object) -> int:
        done: str = await self._connection.execute(statement, *arguments)
        return int(done.rpartition(" ")[2])


def _pairs(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def disagreements(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the records that agree with no statement about their person, with `kind` and the `reasons`.

    `pairs` has a row for each record and each statement, the latter's fields named known_…; the result keeps, of
    each record, the statement that comes nearest. Names are compared as written: what is stored of their normal forms
    may be a former release's. Kana in them count by their sound, as in names in kana.
    """
    keyed = pairs.with_columns(
        name_key=name_keys(pl.col("name")), known_name_key=name_keys(pl.col("known_name")),
        sound=_by_sound(_parts("name")), known_sound=_by_sound(_parts("known_name")),
    )  # fmt: skip
    compared = keyed.with_columns(
        differs_birth_date=pl.col("birth_date") != pl.col("known_birth_date"),
        differs_sex=(pl.col("sex") != pl.col("known_sex"))
        & (pl.col("sex") != Sex.UNSPECIFIED.value)
        & (pl.col("known_sex") != Sex.UNSPECIFIED.value),
        differs_name_kana=_differing_kana(),
        differs_name=pl.Series(
            [
                not _same(name, known) and not _same(sound, known_sound)
                for name, known, sound, known_sound in keyed.select(
                    "name_key", "known_name_key", "sound", "known_sound"
                ).iter_rows()
            ],
            dtype=pl.Boolean,
        ),
    )  # fmt: skip
    reasons = pl.concat_list(
        pl.when(pl.col(f"differs_{field}")).then(pl.lit(field)).otherwise(None) for field in _STATED
    ).list.drop_nulls()
    renamed = ~pl.col("differs_birth_date") & ~pl.col("differs_sex") & _same_given_name()
    return (
        compared.with_columns(
            reasons=reasons, kind=pl.when(renamed).then(pl.lit("review")).otherwise(pl.lit("mismatch"))
        )
        .with_columns(weight=pl.col("reasons").list.len())
        .sort("record_number", "weight", pl.col("kind") != "review", maintain_order=True)
        .unique("record_number", keep="first", maintain_order=True)
        .filter(pl.col("weight") > 0)
    )


def with_swaps(found: pl.DataFrame) -> pl.DataFrame:
    """Give records whose holders are each what is known of the other's person one lead and one kind.

    `found` is what `disagreements` returns, each record once; the lead is the smaller number of the two records, of
    several that answer the first.
    """
    sides = found.select(
        "record_number",
        who=_holder("birth_date", "sex", "name_key"),
        known=_holder("known_birth_date", "known_sex", "known_name_key"),
    ).filter(pl.col("who") != pl.col("known"))  # else they differ in kana alone, and each would be its own other half
    # One row for each pair of holders: many records the one way round and many the other would give their product.
    firsts = sides.group_by("who", "known").agg(other=pl.col("record_number").min())
    swaps = sides.join(firsts, left_on=["who", "known"], right_on=["known", "who"]).select("record_number", "other")
    return found.join(swaps, on="record_number", how="left").with_columns(
        lead_record=pl.min_horizontal("record_number", pl.coalesce("other", "record_number")),
        kind=pl.when(pl.col("other").is_not_null()).then(pl.lit("swapped")).otherwise(pl.col("kind")),
    )


def _holder(birth_date: str, sex: str, name_key: str) -> pl.Expr:
    return pl.concat_str(pl.col(birth_date).cast(pl.String), sex, kana_keys(pl.col(name_key)), separator="\x1f")


def _by_sound(name: pl.Expr) -> pl.Expr:
    # Its other characters by their name key; a long vowel ends with its part here, too.
    return kana_keys(name_keys(name)).str.replace_all(_BETWEEN, "", literal=True)


def _differing_kana() -> pl.Expr:
    # Where both names are divided into as many parts, a long vowel ends with its part: タナカ アユミ is no タナカ ユミ.
    # Where one of them is not divided, it may be either.
    one, other = _parts("name_kana"), _parts("known_name_kana")
    divided = one.str.count_matches(_BETWEEN, literal=True)
    alike = (divided > 0) & (divided == other.str.count_matches(_BETWEEN, literal=True))
    by_parts = [kana_keys(parts).str.replace_all(_BETWEEN, "", literal=True) for parts in (one, other)]
    return (
        pl.when(alike)
        .then(by_parts[0] != by_parts[1])
        .otherwise(kana_keys(pl.col("name_kana")) != kana_keys(pl.col("known_name_kana")))
    )


def _parts(name: str) -> pl.Expr:
    return pl.col(name).str.normalize("NFKC").str.strip_chars().str.replace_all(r"\s+", _BETWEEN)


def _same_given_name() -> pl.Expr:
    # The part after the space, of either spelling; a name without a space ends with the other's, or shows nothing.
    same = pl.lit(False)
    for one, other in (("name_kana", "known_name_kana"), ("known_name_kana", "name_kana")):
        given = kana_keys(_given(other))
        # In a name that is not divided, アユミ may have become a long vowel's end: it sounds so all the same.
        ends = kana_keys(_parts(one)).str.ends_with(given) | sounds(pl.col(one)).str.ends_with(sounds(_given(other)))
        same |= (given != "") & ends & ~_shorter(one, other)
    written = _by_sound(_given("name"))
    return same.fill_null(False) | ((written == _by_sound(_given("known_name"))) & (written != "")).fill_null(False)


def _given(name: str) -> pl.Expr:
    return pl.col(name).str.normalize("NFKC").str.strip_chars().str.extract(r"\s(\S+)$", 1)


def _shorter(one: str, other: str) -> pl.Expr:
    # With a space on both sides both given names have to be whole: ハナ is not the end of ミハナ then.
    both_split = _given(one).is_not_null() & _given(other).is_not_null()
    return (both_split & (kana_keys(_given(one)) != kana_keys(_given(other)))).fill_null(False)


def _same(name: str, known: str) -> bool:
    if name == known:
        return True
    if len(name) != len(known):
        return False
    return all(a == b or _unknown(a) or _unknown(b) for a, b in zip(name, known, strict=True))


def _unknown(character: str) -> bool:
    return character in "●■□◆〓\ufffd" or "\ue000" <= character <= "\uf8ff" or character >= "\U000f0000"
