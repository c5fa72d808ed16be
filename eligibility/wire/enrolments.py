"""A terminal's enrolment: a one-time code and a key it made itself become its certificate."""

from uuid import UUID

from pydantic import Field

from eligibility.wire.encoding import Incoming, Moment, Wire

MAX_REQUEST_PEM = 8192  # a P-256 request has about 500 bytes


class EnrolmentRequest(Incoming):
    """POST /v1/enrolments: the code the operator issued, and a certification request (PKCS #10, PEM)."""

    code: str = Field(min_length=1, max_length=64)
    certification_request: str = Field(min_length=1, max_length=MAX_REQUEST_PEM)


class RenewalRequest(Incoming):
    """POST /v1/renewals: a certification request (PKCS #10, PEM) of a terminal whose certificate is still good."""

    certification_request: str = Field(min_length=1, max_length=MAX_REQUEST_PEM)


class TerminalCertificate(Wire):
    """The certificate of an enrolled terminal."""

    terminal_id: UUID
    institution_code: str
    institution_name: str
    name: str
    certificate: str = Field(description="PEM.")
    not_after: Moment
