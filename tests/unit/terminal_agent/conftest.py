"""A virtual card, and an answer of the centre with all that can be in one, for the unit tests of the terminal."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eligibility.domain.codes import (
    CardClass,
    ConsentClass,
    Disease,
    LimitCategory,
    LimitClass,
    LossReason,
    Method,
    Outcome,
    Relation,
    Sex,
)
from eligibility.wire.verifications import (
    ConsentAnswer,
    CoverageAnswer,
    ElderlyCertificateAnswer,
    LimitCertificateAnswer,
    Notice,
    SpecificDiseaseCertificateAnswer,
    Verification,
    Withheld,
)
from loadtest.pki import Enrolment, Jpki
from terminal_agent.settings import TerminalSettings
from tests.cards import card, content, issuer, jpki, visual_content

NOW = datetime.now(UTC)
_MNT_DETACH = 2
__all__ = ["card", "content", "issuer", "jpki", "visual_content"]


@pytest.fixture
def valid() -> Verification:
    """Give the answer of the centre: a valid coverage with all that can be beside it."""
    return VALID


@pytest.fixture
def settings(tmp_path: Path, jpki: Jpki) -> TerminalSettings:
    """Settings of a terminal with certificates and key, whose centre is away."""
    issued = jpki.issue_auth("0009", datetime.now(UTC))
    (tmp_path / "terminal.crt").write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "terminal.key").write_bytes(key)
    (tmp_path / "ca.crt").write_bytes(jpki.auth[-1].certificate.public_bytes(Encoding.PEM))
    return TerminalSettings(
        centre_url="https://127.0.0.1:9",
        centre_authority=tmp_path / "ca.crt",
        certificate=tmp_path / "terminal.crt",
        key=tmp_path / "terminal.key",
    )


@pytest.fixture
def enrolled(settings: TerminalSettings, tmp_path: Path) -> Callable[[], TerminalSettings]:
    """Give settings of terminals, each with a certificate of its own from the platform's authority."""
    authority = Enrolment.create(NOW)

    def enrol() -> TerminalSettings:
        terminal_id = uuid4()
        certificate, key = authority.terminal("1312345679", terminal_id, NOW).write(tmp_path, str(terminal_id))
        return settings.model_copy(update={"certificate": certificate, "key": key})

    return enrol


VALID = Verification(
    verification_id=UUID("0197a3c0-0000-7000-8000-000000000001"),
    verified_at=NOW,
    method=Method.PIN,
    outcome=Outcome.VALID,
    asked_for=date(2026, 11, 21),
    known_at=NOW,
    data_as_of=NOW,
    coverage=CoverageAnswer(
        insurer_number="06139463",
        insurer_name="架空健康保険組合",
        symbol="１２３",
        number="4567",
        branch_number="01",
        name="髙橋 花子 [b]",
        name_kana="タカハシ ハナコ",
        birth_date=date(1985, 4, 12),
        sex=Sex.FEMALE,
        postal_code="1000013",
        address="東京都千代田区霞が関１丁目２番２号",
        relation=Relation.INSURED,
        card_class=CardClass.GENERAL,
        acquired_on=date(2020, 4, 1),
        lost_on=date(2027, 4, 1),
        loss_reason=LossReason.OTHER,
        copayment_percent=30,
        issued_on=None,
        valid_from=date(2020, 4, 1),
        valid_through=None,
        preschool=True,
        elderly_certificate=ElderlyCertificateAnswer(
            copayment_percent=20, valid_from=date(2026, 8, 1), valid_through=date(2027, 7, 31)
        ),
        limit_certificates=(
            LimitCertificateAnswer(
                limit_class=LimitClass.LIMIT, category=LimitCategory.A03, valid_from=date(2026, 8, 1),
                valid_through=None, long_term_on=None,
            ),
        ),
        specific_disease_certificates=(
            SpecificDiseaseCertificateAnswer(
                disease=Disease.KIDNEY_FAILURE, monthly_cap_yen=10000, valid_from=date(2026, 8, 1), valid_through=None
            ),
            SpecificDiseaseCertificateAnswer(
                disease=Disease.HAEMOPHILIA, monthly_cap_yen=None, valid_from=date(2026, 8, 1), valid_through=None
            ),
        ),
    ),
    conflicting_insurers=("06139471",),
    consents=(ConsentAnswer(consent_class=ConsentClass.LIMIT_CERTIFICATE, expires_at=NOW + timedelta(hours=24)),),
    withheld=(
        Withheld(consent_class=ConsentClass.MEDICATION, reason="no_consent"),
        Withheld(consent_class=ConsentClass.CHECKUP, reason="a_reason_of_tomorrow"),
    ),
    notices=(Notice(code="renew", ja="証明書の更新が近づいています。", en="The certificate expires soon."),),
    receipt="a.b.c",
)  # fmt: skip


@contextmanager
def dead(share: Path) -> Iterator[None]:
    """Mount a share that never answers over a folder: whoever touches it hangs until the block ends."""
    libc = ctypes.CDLL(None)
    try:
        line = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        pytest.skip("no share can be made here that does not answer")
    options = f"fd={line},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if libc.mount(b"dead", os.fsencode(share), b"fuse", 0, options) != 0:
            pytest.skip("only root may mount")
        try:
            yield
        finally:
            libc.umount2(os.fsencode(share), _MNT_DETACH)
    finally:
        os.close(line)  # wakes those who hang
