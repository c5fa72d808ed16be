"""The test PKI has the profile of the field, and survives a round to disk."""

import resource
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from loadtest.pki import Enrolment, Jpki, KeyPair

NOW = datetime.now(UTC)
TERMINAL = UUID("01936f2e-0000-7000-8000-000000000001")


@pytest.fixture(scope="module")
def jpki() -> Jpki:
    return Jpki.create(NOW, generations=2)


@pytest.fixture(scope="module")
def enrolment() -> Enrolment:
    return Enrolment.create(NOW)


def test_generations_of_a_hierarchy_share_one_name_but_not_one_key(jpki: Jpki) -> None:
    for hierarchy in (jpki.auth, jpki.sign):
        assert len({authority.certificate.subject for authority in hierarchy}) == 1
        assert len({authority.key_id for authority in hierarchy}) == len(hierarchy) == 2
        assert hierarchy[0].certificate.not_valid_before_utc < hierarchy[1].certificate.not_valid_before_utc
    assert jpki.auth[0].certificate.subject != jpki.sign[0].certificate.subject


@pytest.mark.parametrize("generation", [0, 1])
def test_an_auth_certificate_has_the_profile_of_the_field(jpki: Jpki, generation: int) -> None:
    certificate = jpki.issue_auth("0123ABC", NOW, generation=generation).certificate

    certificate.verify_directly_issued_by(jpki.auth[generation].certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.content_commitment
    policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [policy.policy_identifier.dotted_string for policy in policies] == ["1.2.392.200149.8.5.1.3.30"]
    key_id = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key_id == jpki.auth[generation].key_id


def test_a_signature_certificate_has_the_other_profile(jpki: Jpki) -> None:
    certificate = jpki.issue_signature("0123ABC", NOW).certificate

    certificate.verify_directly_issued_by(jpki.sign[-1].certificate)
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment


def test_an_override_of_a_field_that_does_not_exist_is_an_error(jpki: Jpki) -> None:
    with pytest.raises(TypeError):
        jpki.issue_auth("0123ABC", NOW, usage="anything")
    with pytest.raises(ValueError, match="no such key usage"):
        jpki.issue_auth("0123ABC", NOW, key_usage=frozenset({"digital_signatur"}))


def test_a_revocation_list_is_signed_by_its_generation(jpki: Jpki) -> None:
    crl = x509.load_der_x509_crl(jpki.auth[0].crl({7: NOW - timedelta(hours=1)}, NOW, NOW + timedelta(hours=1)))

    assert crl.is_signature_valid(jpki.auth[0].certificate.public_key())  # type: ignore[arg-type]
    assert not crl.is_signature_valid(jpki.auth[1].certificate.public_key())  # type: ignore[arg-type]
    assert [entry.serial_number for entry in crl] == [7]


def test_both_hierarchies_survive_a_round_to_disk(jpki: Jpki, enrolment: Enrolment, tmp_path: Path) -> None:
    jpki.save(tmp_path)
    enrolment.save(tmp_path)

    loaded = Jpki.load(tmp_path)
    assert [a.certificate for a in loaded.auth] == [a.certificate for a in jpki.auth]
    assert [a.certificate for a in loaded.sign] == [a.certificate for a in jpki.sign]
    assert Enrolment.load(tmp_path).terminals.certificate == enrolment.terminals.certificate
    loaded.issue_auth("0123ABC", NOW).certificate.verify_directly_issued_by(jpki.auth[-1].certificate)


def test_only_the_owner_may_read_a_written_key(enrolment: Enrolment, tmp_path: Path) -> None:
    for _ in range(2):  # the second time over the first
        _, key = enrolment.insurer("01130012", NOW).write(tmp_path / "keys", "insurer")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_key_whose_writing_was_cut_is_not_there(jpki: Jpki, tmp_path: Path) -> None:
    pair = KeyPair(jpki.auth[0].certificate, jpki.auth[0].key)
    certificate, key = pair.write(tmp_path, "whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert certificate.stat().st_size < key.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (certificate.stat().st_size, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            pair.write(tmp_path, "cut")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "cut.key").exists()
    pair.write(tmp_path, "cut")
    assert (tmp_path / "cut.key").read_bytes() == key.read_bytes()


def test_clients_are_named_by_exactly_one_urn(enrolment: Enrolment) -> None:
    terminal = enrolment.terminal("1310000001", TERMINAL, NOW).certificate
    insurer = enrolment.insurer("01130012", NOW).certificate

    for certificate, urn in (
        (terminal, f"urn:eligibility:institution:1310000001:terminal:{TERMINAL}"),
        (insurer, "urn:eligibility:insurer:01130012"),
    ):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [name.value for name in names] == [urn]
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize("caller", ["terminal", "insurer"])
def test_mutual_tls_works_with_the_strictest_checks_of_openssl(
    enrolment: Enrolment, tmp_path: Path, caller: str
) -> None:
    if caller == "terminal":
        client_pair, authority = enrolment.terminal("1310000001", TERMINAL, NOW), enrolment.terminals
    else:
        client_pair, authority = enrolment.insurer("01130012", NOW), enrolment.insurers
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*enrolment.server(NOW).write(tmp_path, "server"))
    server.load_verify_locations(cadata=authority.pem.decode("ascii"))
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_cert_chain(*client_pair.write(tmp_path, "client"))
    client.load_verify_locations(cadata=enrolment.servers.pem.decode("ascii"))
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    assert far.getpeercert(binary_form=True) == client_pair.der
