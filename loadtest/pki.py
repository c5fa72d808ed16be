"""Certificates for tests and the demo: a hierarchy of the JPKI profile, and the platform's own enrolment authorities.

What cards carry in the field (JPKI): RSA-2048 with SHA-256; a user-authentication and a signature hierarchy, each
with several generations of authority under one name; certificates without a name or a place to fetch revocation from.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loadtest.authority import AUTH_PROFILE, SIGNATURE_PROFILE, Authority, KeyPair, LeafProfile, years_later

__all__ = ["Authority", "Enrolment", "Jpki", "KeyPair", "LeafProfile"]

_SAFETY_MARGIN: Final = timedelta(minutes=1)  # certificates are made in one process and used at once in another
_TLS_PROFILE: Final = LeafProfile(policies=(), ca=False)


@dataclass(frozen=True, slots=True)
class Jpki:
    """The cards' two hierarchies; generations oldest first, one name per hierarchy."""

    auth: list[Authority]
    sign: list[Authority]

    @classmethod
    def create(cls, now: datetime, generations: int = 2, *, keys: Sequence[rsa.RSAPrivateKey] = ()) -> Self:
        """Make both hierarchies; each generation began four years before the next, the newest a year ago.

        `keys`, first the user-authentication ones, save making new ones and make the same hierarchies again.
        """
        started = [years_later(now, -1 - 4 * age) for age in reversed(range(generations))]
        ready = iter(keys)
        auth, sign = (
            [_jpki_authority(_jpki_name(unit), day, next(ready, None)) for day in started]
            for unit in ("JPKI for user authentication", "JPKI for digital signature")
        )
        return cls(auth, sign)

    def issue_auth(
        self,
        holder: str,
        now: datetime,
        *,
        generation: int = -1,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: rsa.RSAPrivateKey | None = None,
        serial: int | None = None,
        **profile_overrides: Any,
    ) -> KeyPair:
        """Certify a card's user-authentication key; the overrides replace fields of the `LeafProfile`."""
        profile = replace(AUTH_PROFILE, **profile_overrides)
        first, last = not_before or now - _SAFETY_MARGIN, not_after or years_later(now, 5)
        return self.auth[generation].issue(_holder_name(holder), profile, first, last, key=key, serial=serial)

    def issue_signature(
        self,
        holder: str,
        now: datetime,
        *,
        generation: int = -1,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: rsa.RSAPrivateKey | None = None,
        serial: int | None = None,
        **profile_overrides: Any,
    ) -> KeyPair:
        """Certify a card's signature key; the overrides replace fields of the `LeafProfile`."""
        profile = replace(SIGNATURE_PROFILE, **profile_overrides)
        first, last = not_before or now - _SAFETY_MARGIN, not_after or years_later(now, 5)
        return self.sign[generation].issue(_holder_name(holder), profile, first, last, key=key, serial=serial)

    def save(self, folder: Path) -> None:
        """Write every generation, so that the next run has the same hierarchy."""
        for kind, authorities in (("auth", self.auth), ("sign", self.sign)):
            for number, authority in enumerate(authorities, start=1):
                authority.save(folder, f"{kind}_{number:02}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        auth, sign = (
            [Authority.load(folder, path.stem) for path in sorted(folder.glob(f"{kind}_[0-9][0-9].crt"))]
            for kind in ("auth", "sign")
        )
        return cls(auth, sign)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The platform's own authorities: one each for terminals, insurers and servers."""

    terminals: Authority
    insurers: Authority
    servers: Authority

    @classmethod
    def create(cls, now: datetime) -> Self:
        """Make the three."""
        names = [f"Eligibility test {kind} authority" for kind in ("terminal", "insurer", "server")]
        return cls(*(Authority.create(_name(name), now - _SAFETY_MARGIN) for name in names))

    def terminal(
        self,
        institution_code: str,
        terminal_id: UUID,
        now: datetime,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        **profile_overrides: Any,
    ) -> KeyPair:
        """Certify a reception terminal of an institution for mutual TLS."""
        urn = f"urn:eligibility:institution:{institution_code}:terminal:{terminal_id}"
        name = _name(f"terminal {terminal_id}")
        return _client(self.terminals, name, urn, now, not_before, not_after, profile_overrides)

    def insurer(
        self,
        insurer_number: str,
        now: datetime,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        **profile_overrides: Any,
    ) -> KeyPair:
        """Certify an insurer for mutual TLS."""
        urn = f"urn:eligibility:insurer:{insurer_number}"
        name = _name(f"insurer {insurer_number}")
        return _client(self.insurers, name, urn, now, not_before, not_after, profile_overrides)

    def server(self, now: datetime, hosts: Sequence[str] = ("localhost", "127.0.0.1")) -> KeyPair:
        """Certify a server under its host names and addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        profile = replace(_TLS_PROFILE, extensions=((names, False), (usage, False)))
        first, last = now - _SAFETY_MARGIN, years_later(now, 1)
        return self.servers.issue(_name(hosts[0]), profile, first, last, key=ec.generate_private_key(ec.SECP256R1()))

    def save(self, folder: Path) -> None:
        """Write the three."""
        self.terminals.save(folder, "terminal_authority")
        self.insurers.save(folder, "insurer_authority")
        self.servers.save(folder, "server_authority")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kinds = ("terminal", "insurer", "server")
        return cls(*(Authority.load(folder, f"{kind}_authority") for kind in kinds))


def _client(
    authority: Authority,
    name: x509.Name,
    urn: str,
    now: datetime,
    not_before: datetime | None,
    not_after: datetime | None,
    profile_overrides: Mapping[str, Any],
) -> KeyPair:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(urn)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    profile = replace(_TLS_PROFILE, extensions=((names, False), (usage, False)))
    first, last = not_before or now - _SAFETY_MARGIN, not_after or years_later(now, 1)
    key = ec.generate_private_key(ec.SECP256R1())
    return authority.issue(name, replace(profile, **profile_overrides), first, last, key=key)


def _jpki_authority(name: x509.Name, now: datetime, key: rsa.RSAPrivateKey | None) -> Authority:
    # The real ones name themselves in Japanese beside their DN and point to a directory, not a URL, for revocation.
    japanese = x509.DirectoryName(
        _dn((NameOID.COUNTRY_NAME, "JP"), (NameOID.ORGANIZATION_NAME, "公的個人認証サービス"))
    )
    point = x509.DistributionPoint([x509.DirectoryName(name)], None, None, None)
    extensions = [(x509.SubjectAlternativeName([japanese]), False), (x509.CRLDistributionPoints([point]), False)]
    return Authority.create(name, now, rsa_key=True, key=key, serial=int(now.timestamp()), extensions=extensions)


def _jpki_name(unit: str) -> x509.Name:
    return _dn(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, "JPKI-TEST"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Eligibility platform tests"),
    )


def _holder_name(holder: str) -> x509.Name:
    return _dn((NameOID.COUNTRY_NAME, "JP"), (NameOID.COMMON_NAME, holder))


def _name(common_name: str) -> x509.Name:
    return _dn((NameOID.ORGANIZATION_NAME, "Eligibility platform tests"), (NameOID.COMMON_NAME, common_name))


def _dn(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
