"""What a process of the centre says of itself to whoever watches it."""

from typing import Literal

from pydantic import Field

from eligibility.wire.encoding import Wire


class Health(Wire):
    """GET /health: whether counters can be answered; a problem in its place where the database cannot be written."""

    database: Literal["ok"] = "ok"
    revocation: Literal["ok", "stale"]
    stale_issuers: tuple[str, ...] = Field(
        description="Key identifiers, in hex, of the card authorities without a fresh revocation list."
    )
