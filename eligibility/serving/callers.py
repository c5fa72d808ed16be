"""Who is calling, read from the client certificate of the connection and from nothing else.

A terminal's certificate carries one SAN URI `urn:eligibility:institution:CODE:terminal:UUID`, an insurer's
`urn:eligibility:insurer:NUMBER`; each comes from a CA of its own, which the TLS handshake has checked.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from cryptography import x509
from starlette.requests import Request

from eligibility.domain.codes import Role
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.serving.problems import Refusal

_TERMINAL = re.compile(r"urn:eligibility:institution:([0-9B]{10}):terminal:([0-9a-f-]{36})")
_INSURER = re.compile(r"urn:eligibility:insurer:([0-9]{8})")
KNOWN_CERTIFICATES = 50_000  # callers whose parsed certificates are kept; a nation's terminals over its API processes


@dataclass(frozen=True, slots=True)
class Terminal:
    """A reception terminal and the institution it stands in, as its certificate says."""

    institution: InstitutionCode
    terminal_id: UUID


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of an institution's staff who has signed in on a terminal of it."""

    terminal: Terminal
    staff_id: UUID
    role: Role


@dataclass(frozen=True, slots=True)
class _Certificate:
    uri: str
    not_before: datetime
    not_after: datetime


def terminal_of(request: Request) -> Terminal:
    """Return the calling terminal.

    Raises:
        Refusal: `caller_unknown`, when there is no certificate of a terminal or it is not valid now.
    """
    terminal = _terminal(_caller_uri(request))
    if terminal is None:
        raise Refusal("caller_unknown")
    return terminal


def insurer_of(request: Request) -> InsurerNumber:
    """Return the calling insurer.

    Raises:
        Refusal: `caller_unknown`, when there is no certificate of an insurer or it is not valid now.
    """
    match = _INSURER.fullmatch(_caller_uri(request))
    if not match:
        raise Refusal("caller_unknown")
    return InsurerNumber(match[1])


def anyone(request: Request) -> None:
    """Name, in a route's signature, that nobody in particular needs to be calling."""


def _caller_uri(request: Request) -> str:
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    if not chain:
        raise Refusal("caller_unknown")
    certificate = _read(chain[0])
    # A connection may outlive the certificate it was made with.
    if not certificate.not_before <= datetime.now(UTC) <= certificate.not_after:
        raise Refusal("caller_unknown")
    return certificate.uri


@lru_cache(maxsize=KNOWN_CERTIFICATES)
def _terminal(uri: str) -> Terminal | None:
    match = _TERMINAL.fullmatch(uri)
    return Terminal(InstitutionCode.parse(match[1]), UUID(match[2])) if match else None


@lru_cache(maxsize=KNOWN_CERTIFICATES)
def _read(pem: str) -> _Certificate:
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    uri = uris[0] if len(uris) == 1 else ""
    return _Certificate(uri, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
