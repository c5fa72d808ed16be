"""Revocation: what a list says, which lists are believed, and what a folder of them may change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from eligibility.identity import revocation_list as lists
from eligibility.identity.certificate import verify_certificate
from eligibility.identity.refusals import CertificateRevoked, RevocationUnknown
from eligibility.identity.revocation import RevocationDirectory, RevocationLists
from eligibility.identity.revocation_list import MAX_AGE, RevocationListRefused, read_revocation_list
from eligibility.identity.trust import TrustStore
from loadtest.pki import Authority
from tests.vectors.forging import SHA1_WITH_RSA, flip, replace_part, resign
from tests.vectors.generate import NOW, SERIAL, Forge

_DER = serialization.Encoding.DER
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
FORGE = Forge()
TRUST = TrustStore.from_pem(*(authority.pem for authority in FORGE.jpki.auth))
NEWEST = FORGE.jpki.auth[-1]
CARD = verify_certificate(FORGE.good, trust=TRUST, now=NOW)
OLDER_CARD = verify_certificate(FORGE.auth(generation=0), trust=TRUST, now=NOW)


def _key(authority: Authority = NEWEST) -> rsa.RSAPrivateKey:
    assert isinstance(authority.key, rsa.RSAPrivateKey)
    return authority.key


def _crl(
    *revoked: int,
    this_update: datetime = NOW,
    lasts: timedelta = 24 * HOUR,
    authority: Authority = NEWEST,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    moments = dict.fromkeys(revoked, NOW - SECOND)
    return authority.crl(moments, this_update, this_update + lasts, extensions=extensions)


def _held(*ders: bytes, now: datetime = NOW) -> RevocationLists:
    read = [read_revocation_list(der, TRUST, now) for der in ders]
    return RevocationLists({found.issuer_key_id: found for found in read})


def test_a_certificate_that_is_not_on_its_issuers_fresh_list_passes() -> None:
    _held(_crl(SERIAL + 1)).check(CARD, NOW)


def test_a_certificate_revoked_a_second_ago_is_refused() -> None:
    with pytest.raises(CertificateRevoked):
        _held(_crl(SERIAL)).check(CARD, NOW)


def test_an_entry_counts_whatever_its_date() -> None:
    tomorrow = NEWEST.crl({SERIAL: NOW + 24 * HOUR}, NOW, NOW + HOUR)
    with pytest.raises(CertificateRevoked):
        _held(tomorrow).check(CARD, NOW)


def test_a_revoked_certificate_stays_revoked_on_a_list_that_is_no_longer_fresh() -> None:
    with pytest.raises(CertificateRevoked):
        _held(_crl(SERIAL)).check(CARD, NOW + 30 * HOUR)


def test_the_same_serial_number_of_another_generation_is_another_certificate() -> None:
    held = _held(_crl(SERIAL), _crl(authority=FORGE.jpki.auth[0]))

    held.check(OLDER_CARD, NOW)
    with pytest.raises(CertificateRevoked):
        held.check(CARD, NOW)


def test_without_the_issuers_own_list_nothing_is_known() -> None:
    for held in (RevocationLists(), _held(_crl(authority=FORGE.jpki.auth[0]))):
        with pytest.raises(RevocationUnknown):
            held.check(CARD, NOW)


@pytest.mark.parametrize(
    ("lasts", "later", "known"),
    [
        (24 * HOUR, MAX_AGE, True),
        (24 * HOUR, MAX_AGE + SECOND, False),
        (60 * SECOND, 60 * SECOND, True),
        (60 * SECOND, 61 * SECOND, False),
        (24 * HOUR, -SECOND, False),  # the clock stepped back behind the list
    ],
)
def test_a_list_is_fresh_for_an_hour_and_until_its_next_update(lasts: timedelta, later: timedelta, known: bool) -> None:
    held = _held(_crl(lasts=lasts))
    if known:
        held.check(CARD, NOW + later)
    else:
        with pytest.raises(RevocationUnknown):
            held.check(CARD, NOW + later)


def _point(**said: object) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    nothing = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False,
    }  # fmt: skip
    return ((x509.IssuingDistributionPoint(**(nothing | said)), True),)  # type: ignore[arg-type]


def _with_entry(extension: x509.ExtensionType, *, critical: bool) -> bytes:
    entry = (
        x509.RevokedCertificateBuilder().serial_number(SERIAL).revocation_date(NOW).add_extension(extension, critical)
    )
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NEWEST.certificate.subject)
        .last_update(NOW)
        .next_update(NOW + HOUR)
        .add_extension(x509.AuthorityKeyIdentifier(NEWEST.key_id, None, None), False)
        .add_revoked_certificate(entry.build())
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(_DER)


_SHA1 = hashes.SHA1()  # noqa: S303
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")
_NAMESAKE = Authority.create(NEWEST.certificate.subject, NOW, key=FORGE.stranger)
_POINT_NAME = [x509.DirectoryName(NEWEST.certificate.subject)]
_SOME_REASONS = frozenset({x509.ReasonFlags.key_compromise})


@pytest.mark.parametrize(
    ("der", "refusal"),
    [
        (b"", lists.ListMalformed),
        (b"not a list", lists.ListMalformed),
        (FORGE.good, lists.ListMalformed),
        (_crl() + b"\x00", lists.ListMalformed),
        (_crl()[:-1], lists.ListMalformed),
        (resign(_crl(), _key(), replace_part(4, None)), lists.ListMalformed),
        (resign(_crl(), _key(), lambda parts: parts[:-1]), lists.ListMalformed),
        (_crl(authority=FORGE.jpki.sign[0]), lists.ListIssuerUnknown),
        (_crl(authority=_NAMESAKE), lists.ListIssuerUnknown),
        (
            resign(_crl(), _key(), replace_part(2, FORGE.jpki.sign[0].certificate.subject.public_bytes())),
            lists.ListIssuerUnknown,
        ),
        (_crl(authority=replace(NEWEST, key=FORGE.stranger)), lists.ListForged),
        (_crl(authority=replace(NEWEST, key=FORGE.jpki.auth[0].key)), lists.ListForged),
        (flip(_crl(), 8 * len(_crl()) - 1), lists.ListForged),
        (
            resign(_crl(), _key(), replace_part(1, SHA1_WITH_RSA), algorithm=SHA1_WITH_RSA, hash_algorithm=_SHA1),
            lists.ListForged,
        ),
        (_crl(this_update=NOW + SECOND), lists.ListNotYetValid),
        (_crl(this_update=NOW - HOUR - SECOND), lists.ListStale),
        (_crl(this_update=NOW - 60 * SECOND, lasts=59 * SECOND), lists.ListStale),
        (_crl(extensions=((x509.DeltaCRLIndicator(1), True),)), lists.ListPartial),
        (_crl(extensions=((x509.DeltaCRLIndicator(1), False),)), lists.ListPartial),
        (_crl(extensions=((_UNKNOWN, True),)), lists.ListPartial),
        (_crl(extensions=_point(indirect_crl=True)), lists.ListPartial),
        (_crl(extensions=_point(only_some_reasons=_SOME_REASONS)), lists.ListPartial),
        (_crl(extensions=_point(only_contains_ca_certs=True)), lists.ListPartial),
        (_crl(extensions=_point(only_contains_attribute_certs=True)), lists.ListPartial),
        (_crl(extensions=_point(full_name=_POINT_NAME)), lists.ListPartial),
        (_with_entry(x509.CertificateIssuer([x509.DNSName("other.example")]), critical=True), lists.ListPartial),
    ],
)  # fmt: skip
def test_a_list_that_lies_or_says_too_little_is_refused(der: bytes, refusal: type[RevocationListRefused]) -> None:
    with pytest.raises(refusal):
        read_revocation_list(der, TRUST, NOW)


@pytest.mark.parametrize(
    "der",
    [
        _crl(SERIAL, extensions=_point(only_contains_user_certs=True)),
        _crl(SERIAL, extensions=((_UNKNOWN, False),)),
        _with_entry(x509.CRLReason(x509.ReasonFlags.certificate_hold), critical=False),
        _with_entry(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=True),
        _crl(SERIAL, authority=FORGE.jpki.auth[0]),
    ],
    ids=["users' certificates only", "uncritical extension", "on hold", "critical reason", "older generation"],
)
def test_a_complete_list_is_read(der: bytes) -> None:
    assert read_revocation_list(der, TRUST, NOW).revoked == {SERIAL}


@given(st.binary(max_size=600))
def test_no_bytes_do_anything_but_refuse(der: bytes) -> None:
    with pytest.raises(RevocationListRefused):
        read_revocation_list(der, TRUST, NOW)


@given(st.integers(0, 8 * len(_crl(SERIAL)) - 1))
def test_no_bit_of_a_list_can_be_changed(bit: int) -> None:
    with pytest.raises(RevocationListRefused):
        read_revocation_list(flip(_crl(SERIAL), bit), TRUST, NOW)


class TestDirectory:
    """Only a newer, verified list takes the place of what is held."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for number, authority in enumerate(FORGE.jpki.auth):
            (tmp_path / f"{number}.crl").write_bytes(_crl(authority=authority))
        return tmp_path

    @pytest.fixture
    def directory(self, folder: Path) -> RevocationDirectory:
        directory = RevocationDirectory(folder, TRUST)
        assert len(directory.refresh(NOW).updated) == 2
        return directory

    @staticmethod
    def _problems(directory: RevocationDirectory, now: datetime) -> list[tuple[str, type[RevocationListRefused]]]:
        return [(found.file, type(found.problem)) for found in directory.refresh(now).problems]

    def test_a_newer_list_is_taken(self, directory: RevocationDirectory, folder: Path) -> None:
        before = directory.current
        (folder / "1.crl").write_bytes(_crl(SERIAL, this_update=NOW + SECOND))

        assert directory.refresh(NOW + SECOND).updated == (NEWEST.key_id,)
        with pytest.raises(CertificateRevoked):
            directory.current.check(CARD, NOW + SECOND)
        before.check(CARD, NOW + SECOND)  # what was taken before does not change under anybody's hands

    def test_an_unchanged_folder_changes_nothing(self, directory: RevocationDirectory) -> None:
        before = dict(directory.current.by_issuer)
        refreshed = directory.refresh(NOW + SECOND)

        assert refreshed.updated == refreshed.problems == ()
        assert directory.current.by_issuer == before

    def test_a_replayed_older_list_frees_nobody(self, directory: RevocationDirectory, folder: Path) -> None:
        old = (folder / "1.crl").read_bytes()
        (folder / "1.crl").write_bytes(_crl(SERIAL, this_update=NOW + SECOND))
        directory.refresh(NOW + SECOND)
        (folder / "1.crl").write_bytes(old)

        for _ in range(2):  # the problem lasts as long as the file does
            assert self._problems(directory, NOW + 2 * SECOND) == [("1.crl", lists.ListOlder)]
        with pytest.raises(CertificateRevoked):
            directory.current.check(CARD, NOW + 2 * SECOND)

    def test_another_list_of_the_same_moment_frees_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "a.crl").write_bytes(_crl(SERIAL))
        directory = RevocationDirectory(tmp_path, TRUST)
        directory.refresh(NOW)
        (tmp_path / "b.crl").write_bytes(_crl())

        assert self._problems(directory, NOW) == [("b.crl", lists.ListOlder)]

    def test_a_lower_number_is_an_older_list(self) -> None:
        held = read_revocation_list(_crl(), TRUST, NOW)

        assert replace(held, this_update=NOW + SECOND).replaces(held)
        assert not replace(held, this_update=NOW + SECOND, number=1).replaces(held)

    @pytest.mark.parametrize("content", [b"", b"half a list", _crl(authority=replace(NEWEST, key=FORGE.stranger))])
    def test_a_bad_file_leaves_what_is_held(self, directory: RevocationDirectory, folder: Path, content: bytes) -> None:
        (folder / "1.crl").write_bytes(content)

        assert [file for file, _ in self._problems(directory, NOW)] == ["1.crl"]
        directory.current.check(CARD, NOW)
        assert directory.stale_issuers(NOW) == ()

    def test_a_file_that_is_gone_leaves_what_is_held_until_it_is_stale(
        self, directory: RevocationDirectory, folder: Path
    ) -> None:
        (folder / "1.crl").unlink()

        assert self._problems(directory, NOW + HOUR) == []
        directory.current.check(CARD, NOW + HOUR)
        with pytest.raises(RevocationUnknown):
            directory.current.check(CARD, NOW + HOUR + SECOND)
        assert set(directory.stale_issuers(NOW + HOUR + SECOND)) == TRUST.anchors.keys()

    def test_a_list_from_the_future_is_taken_once_its_time_has_come(
        self, directory: RevocationDirectory, folder: Path
    ) -> None:
        (folder / "1.crl").write_bytes(_crl(SERIAL, this_update=NOW + SECOND))

        assert self._problems(directory, NOW) == [("1.crl", lists.ListNotYetValid)]
        assert directory.refresh(NOW + SECOND).updated == (NEWEST.key_id,)

    def test_old_and_new_side_by_side_are_no_problem(self, tmp_path: Path) -> None:
        (tmp_path / "a.crl").write_bytes(_crl(SERIAL, this_update=NOW))
        (tmp_path / "b.crl").write_bytes(_crl(this_update=NOW - SECOND))
        directory = RevocationDirectory(tmp_path, TRUST)

        assert self._problems(directory, NOW) == []
        assert directory.current.by_issuer[NEWEST.key_id].revoked == {SERIAL}

    def test_an_empty_folder_leaves_every_usable_generation_stale(self, tmp_path: Path) -> None:
        directory = RevocationDirectory(tmp_path, TRUST)

        assert directory.refresh(NOW).updated == ()
        assert set(directory.stale_issuers(NOW)) == TRUST.anchors.keys()

    def test_an_expired_generation_needs_no_list(self, directory: RevocationDirectory) -> None:
        later = TRUST.anchors[FORGE.jpki.auth[0].key_id].not_after + SECOND
        assert directory.stale_issuers(later) == (NEWEST.key_id,)

    def test_a_folder_in_a_files_place_is_a_problem(self, directory: RevocationDirectory, folder: Path) -> None:
        (folder / "2.crl").mkdir()
        assert self._problems(directory, NOW) == [("2.crl", lists.ListMalformed)]
