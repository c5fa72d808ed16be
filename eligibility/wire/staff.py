"""How a member of staff signs in with two factors, and what the session is.

The token travels as `Authorization: Bearer …` over the terminal's own TLS connection: it is good for that terminal and
its institution alone.
"""

from datetime import timedelta
from typing import Final

from pydantic import Field

from eligibility.domain.codes import Role
from eligibility.wire.encoding import Incoming, Moment, Wire

SESSION_IDLE_LIFE: Final = timedelta(minutes=30)  # field: 30 minutes without a request end a session
SESSION_LIFE: Final = timedelta(hours=12)
MAX_STAFF_NAME: Final = 64
MAX_PASSWORD: Final = 200


class StaffSessionRequest(Incoming):
    """POST /v1/staff-sessions: name, password and the six digits of the authenticator (TOTP, RFC 6238)."""

    name: str = Field(min_length=1, max_length=MAX_STAFF_NAME)
    password: str = Field(min_length=1, max_length=MAX_PASSWORD, repr=False)
    passcode: str = Field(pattern=r"^[0-9]{6}$", repr=False)


class StaffSession(Wire):
    """A session of one member of staff on one terminal; half an hour without a request ends it earlier."""

    token: str = Field(repr=False)
    role: Role
    display_name: str
    expires_at: Moment
