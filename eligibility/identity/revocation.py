"""Whether a certificate has been revoked, from the lists that an operator keeps fresh in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import structlog

from eligibility.identity.certificate import AuthCertificate
from eligibility.identity.refusals import CertificateRevoked, RevocationUnknown
from eligibility.identity.revocation_list import (
    MAX_LIST_BYTES,
    ListMalformed,
    ListOlder,
    RevocationList,
    RevocationListRefused,
    read_revocation_list,
)
from eligibility.identity.trust import KEY_ID_BYTES, TrustStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RevocationLists:
    """The list of each generation, by its key identifier: one moment's knowledge, which never changes."""

    by_issuer: Mapping[bytes, RevocationList] = field(default_factory=lambda: MappingProxyType({}))

    def check(self, certificate: AuthCertificate, now: datetime) -> None:
        """Check that the certificate is not revoked, as far as a fresh list can tell.

        Raises:
            CertificateRevoked: it is on its issuer's list, even on one that is no longer fresh.
            RevocationUnknown: its issuer has no list, or none that is fresh.
        """
        self._check(certificate.issuer.key_id, certificate.serial, now)

    def check_card(self, card_key: bytes, now: datetime) -> None:
        """Check the same of a card that was verified before; its key is the issuer's key identifier and the serial.

        Raises:
            CertificateRevoked, RevocationUnknown: as for a certificate.
        """
        self._check(card_key[:KEY_ID_BYTES], int.from_bytes(card_key[KEY_ID_BYTES:], "big"), now)

    def _check(self, issuer_key_id: bytes, serial: int, now: datetime) -> None:
        held = self.by_issuer.get(issuer_key_id)
        if held is not None and serial in held.revoked:
            raise CertificateRevoked
        if held is None or not held.fresh_at(now):
            raise RevocationUnknown


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file of the folder that was not used, and why not."""

    file: str
    problem: RevocationListRefused


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: the generations whose lists are new, and the files that were refused."""

    updated: tuple[bytes, ...]
    problems: tuple[FileProblem, ...]


class RevocationDirectory:
    """A folder of `*.crl` files (DER), and what they say; `current` is replaced as a whole, never changed.

    An older list never takes the place of a newer one while the process lives; across a restart the lists' own times
    bound how old a replayed one can be.
    """

    def __init__(self, folder: Path, trust: TrustStore) -> None:
        self.current = RevocationLists()
        self._folder = folder
        self._trust = trust
        self._accepted: dict[str, tuple[int, int, int]] = {}

    def refresh(self, now: datetime) -> Refreshed:
        """Read the files that are new or changed; what is held stays where a file is gone, bad or older.

        A refused file is tried again each time, so that its problem lasts as long as the file does. Reading a large
        list takes seconds of computing: call this in a thread, but never in two at once.
        """
        problems: list[FileProblem] = []
        candidates: list[tuple[RevocationList, Path, tuple[int, int, int]]] = []
        for path in sorted(self._folder.glob("*.crl")):
            try:
                stamp = _stamp(path)
                if self._accepted.get(path.name) != stamp:
                    candidates.append((self._read(path, now), path, stamp))
            except RevocationListRefused as problem:
                problems.append(FileProblem(path.name, problem))

        held = dict(self.current.by_issuer)
        updated: dict[bytes, None] = {}
        for found, path, stamp in sorted(candidates, key=lambda candidate: candidate[0].this_update):
            before = held.get(found.issuer_key_id)
            if before is not None and before != found and not found.replaces(before):
                problems.append(FileProblem(path.name, ListOlder()))
                continue
            self._accepted[path.name] = stamp
            if before != found:
                held[found.issuer_key_id] = found
                updated[found.issuer_key_id] = None
        self.current = RevocationLists(MappingProxyType(held))

        for refused in problems:
            _log.warning("revocation_list_refused", file=refused.file, reason=type(refused.problem).__name__)
        return Refreshed(tuple(updated), tuple(problems))

    def stale_issuers(self, now: datetime) -> tuple[bytes, ...]:
        """Return the usable generations that have no fresh list: their cards are refused until they have one."""
        lists = self.current.by_issuer
        return tuple(
            anchor.key_id
            for anchor in self._trust.usable_at(now)
            if anchor.key_id not in lists or not lists[anchor.key_id].fresh_at(now)
        )

    def _read(self, path: Path, now: datetime) -> RevocationList:
        try:
            with path.open("rb") as file:
                der = file.read(MAX_LIST_BYTES + 1)
        except OSError as error:
            raise ListMalformed from error
        if len(der) > MAX_LIST_BYTES:
            raise ListMalformed
        return read_revocation_list(der, self._trust, now)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise ListMalformed from error
    return found.st_mtime_ns, found.st_size, found.st_ino
