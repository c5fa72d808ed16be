"""Rules between the fields of one eligibility record, and what the three kinds of record mean.

Kind 1 (登録・更新) states the whole of one coverage as of now: certificates it does not state are no longer known.
Kind 2 (喪失) sets the day and the reason of the loss of a known coverage; its certificates stay.
Kind 3 (取消) closes the coverage and its certificates in known time, as though they had never been.
A coverage is the same through every correction when insurer, symbol, number, branch number and acquisition agree.
Rows of one coverage may repeat to carry several certificates; all else in them must agree. That rule, and those
against what is already known, are set-based statements of the merge (payer_sync/queries).
"""

from enum import StrEnum
from typing import Final

import polars as pl

from eligibility.domain.codes import FieldCode
from payer_sync.faults import FaultCode
from payer_sync.layouts.layout import Rule

TODAY: Final = "today"  # the checking day, put beside a batch's fields by payer_sync.contract


class RecordKind(FieldCode):
    """What a record does (レコード種別)."""

    REGISTER = "1", "登録・更新", "registration or correction"
    LOSE = "2", "喪失", "loss"
    CANCEL = "3", "取消", "cancellation"


class Certificate(StrEnum):
    """A certificate a record may carry, by the staged field that a fault of it is reported at."""

    LIMIT = "limit_class"
    SPECIFIC_DISEASE = "disease"
    ELDERLY = "elderly_percent"


# Fields that a certificate needs, and those it may have besides.
_CERTIFICATES: Final = {
    Certificate.LIMIT: (("limit_class", "limit_category", "limit_from"), ("limit_through", "long_term_on")),
    Certificate.SPECIFIC_DISEASE: (("disease", "disease_from"), ("monthly_cap_yen", "disease_through")),
    Certificate.ELDERLY: (("elderly_percent", "elderly_from"), ("elderly_through",)),
}
_STATES: Final = pl.col("record_kind") == RecordKind.REGISTER.value


def _incomplete(certificate: Certificate) -> Rule:
    needed, besides = _CERTIFICATES[certificate]
    begun = pl.any_horizontal(pl.col(*needed, *besides).is_not_null())
    lacking = pl.any_horizontal(pl.col(*needed).is_null())
    return Rule(FaultCode.CERTIFICATE_INCOMPLETE, certificate.value, _STATES & begun & lacking)


def _far_ahead(day: str) -> Rule:
    # The checking day is the same in every record.
    return Rule(FaultCode.FAR_IN_FUTURE, day, _STATES & (pl.col(day) > pl.col(TODAY).first().dt.offset_by("1y")))


def _ends_early(start: str, end: str) -> Rule:
    return Rule(FaultCode.ENDS_BEFORE_START, end, _STATES & (pl.col(end) < pl.col(start)))


ELIGIBILITY_RULES: Final = (
    Rule(
        FaultCode.LOSS_INCOMPLETE,
        "lost_on",
        _STATES & (pl.col("lost_on").is_null() != pl.col("loss_reason").is_null()),
    ),
    Rule(FaultCode.LOST_BEFORE_ACQUIRED, "lost_on", pl.col("lost_on") < pl.col("acquired_on")),
    Rule(FaultCode.BORN_IN_FUTURE, "birth_date", pl.col("birth_date") > pl.col(TODAY)),
    Rule(FaultCode.BORN_AFTER_ACQUIRED, "birth_date", pl.col("birth_date") > pl.col("acquired_on")),
    _far_ahead("acquired_on"),
    _far_ahead("issued_on"),
    _ends_early("valid_from", "valid_through"),
    _ends_early("limit_from", "limit_through"),
    _ends_early("disease_from", "disease_through"),
    _ends_early("elderly_from", "elderly_through"),
    *(_incomplete(certificate) for certificate in Certificate),
)
