"""Which editions of layouts this intake takes: those in force, those in their overlap, and in practice the next."""

from datetime import date

from eligibility.serving.problems import Refusal
from eligibility.wire.problems import Fault
from payer_sync.layouts.register import Edition, not_taken


def refuse_unaccepted(edition: Edition, today: date, *, practice: bool) -> None:
    """Refuse an edition that is not taken today, saying from when it is or until when it was.

    Raises:
        Refusal: `edition_not_yet` or `edition_ended`.
    """
    if fault := not_taken(edition, today, practice=practice):
        raise Refusal(fault.code.value, faults=(Fault(pointer="/edition", expected=fault.said),))
