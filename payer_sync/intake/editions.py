"""Which editions of layouts this intake takes: those in force, those in their overlap, and in practice the next."""

from datetime import date

from eligibility.serving.problems import Refusal
from eligibility.wire.problems import Fault
from payer_sync.faults import both
from payer_sync.layouts.register import Edition, EditionState, accepted_until, edition_state


def refuse_unaccepted(edition: Edition, today: date, *, practice: bool) -> None:
    """Refuse an edition that is not taken today, saying from when it is or until when it was.

    Raises:
        Refusal: `edition_not_yet` or `edition_ended`.
    """
    state = edition_state(edition, today)
    if state is EditionState.BETA and not practice:
        said = both(
            f"{edition.accepted_from} から受け付けます。それまでは練習環境だけです。",
            f"accepted from {edition.accepted_from}; until then by practice environments only",
        )
        raise Refusal("edition_not_yet", faults=(Fault(pointer="/edition", expected=said),))
    if state is EditionState.ENDED:
        last = accepted_until(edition)
        said = both(f"{last} で受付を終了しました。", f"was accepted until {last}")
        raise Refusal("edition_ended", faults=(Fault(pointer="/edition", expected=said),))
