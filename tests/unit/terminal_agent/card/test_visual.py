import secrets
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eligibility.domain.codes import Sex
from terminal_agent.card import surface, tlv
from terminal_agent.card.cv_certificate import CvCertificate, digest_info, encode_key, load_authorities, parse_key
from terminal_agent.card.errors import (
    ApduError,
    CardCopied,
    CardDataForged,
    CardDataMalformed,
    CardError,
    CardPhotoMissing,
    NotAMyNumberCard,
    NumberBBlocked,
    NumberBWrong,
)
from terminal_agent.card.pins import NumberB
from terminal_agent.card.surface import CardSurface, Trust
from terminal_agent.card.virtual import VirtualCard, sign_padded
from terminal_agent.card.virtual_content import CardContent, VisualContent
from terminal_agent.card.virtual_files import card_in_folder, load_content, save_card
from terminal_agent.card.virtual_photo import PictureUnreadable, card_photo
from terminal_agent.card.virtual_surface import AUTHORITY_ID, VisualIssuer, new_key
from terminal_agent.card.visual import CheckedSurface, VisualSession, read_surface
from tests.cards import HOLDER, fields_of, record_of

NUMBER_B = NumberB.parse("60041220348123")
WRONG = NumberB.parse("0" * 14)


def read(
    content: CardContent, visual: VisualContent | None, issuer: VisualIssuer | None, number: NumberB = NUMBER_B
) -> CheckedSurface:
    card = VirtualCard(replace(content, visual=visual))
    authorities = {} if issuer is None else issuer.authorities
    return read_surface(VisualSession.open(card), number, authorities, secrets.token_bytes(32))


def visual_of(content: CardContent) -> VisualContent:
    assert content.visual is not None
    return content.visual


def test_the_record_is_read_and_its_signatures_lead_to_the_pinned_authority(
    visual_content: CardContent, issuer: VisualIssuer
) -> None:
    checked = read(visual_content, visual_of(visual_content), issuer)
    found = checked.surface
    assert checked.trust is Trust.VERIFIED
    assert checked.verified
    assert (found.birth_date, found.sex, found.expires_on) == (HOLDER.birth_date, Sex.FEMALE, HOLDER.expires_on)
    assert found.photo[4:8] == b"jP  "
    assert "1985" not in repr(checked) + repr(found)


def test_an_authority_that_is_not_pinned_is_said_to_be_unknown(visual_content: CardContent) -> None:
    checked = read(visual_content, visual_of(visual_content), None)
    assert checked.trust is Trust.AUTHORITY_UNKNOWN
    assert not checked.verified


def test_a_wrong_number_b_counts_down_from_ten_and_blocks(visual_content: CardContent, issuer: VisualIssuer) -> None:
    card = VirtualCard(visual_content)
    session = VisualSession.open(card)
    assert session.tries_left() == 10
    for left in range(9, 0, -1):
        with pytest.raises(NumberBWrong) as wrong:
            session.verify_number_b(WRONG)
        assert wrong.value.tries_left == left
    for number in (WRONG, NUMBER_B):
        with pytest.raises(NumberBBlocked):
            session.verify_number_b(number)
    assert session.tries_left() == 0


def test_the_right_number_b_gives_all_tries_back(visual_content: CardContent) -> None:
    session = VisualSession.open(VirtualCard(visual_content))
    with pytest.raises(NumberBWrong):
        session.verify_number_b(WRONG)
    session.verify_number_b(NUMBER_B)
    assert session.tries_left() == 10


def test_nothing_is_read_without_the_number_b(visual_content: CardContent) -> None:
    session = VisualSession.open(VirtualCard(visual_content))
    with pytest.raises(ApduError, match="6982"):
        session.record()


def test_selecting_another_application_forgets_the_number_b(visual_content: CardContent) -> None:
    card = VirtualCard(visual_content)
    session = VisualSession.open(card)
    session.verify_number_b(NUMBER_B)
    card.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
    with pytest.raises(ApduError, match="6982"):
        VisualSession.open(card).record()


def test_a_card_without_the_application_is_none() -> None:
    class Other:
        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6a\x82"

    with pytest.raises(NotAMyNumberCard):
        VisualSession.open(Other())


def _changed(tag: int, value: bytes) -> Callable[[VisualContent], VisualContent]:
    return lambda visual: replace(visual, record=record_of({**fields_of(visual.record), tag: value}))


def _without(*tags: int) -> Callable[[VisualContent], VisualContent]:
    return lambda visual: replace(
        visual, record=record_of({tag: value for tag, value in fields_of(visual.record).items() if tag not in tags})
    )


def _flip_signature(visual: VisualContent) -> VisualContent:
    fields = fields_of(visual.record)
    signature = bytearray(fields[surface.SIGNATURE_TAG])
    signature[100] ^= 1
    return replace(visual, record=record_of({**fields, surface.SIGNATURE_TAG: bytes(signature)}))


def _cut_in_half(visual: VisualContent) -> VisualContent:
    return replace(visual, record=visual.record[: len(visual.record) // 2])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_without(surface.PHOTO_TAG), CardPhotoMissing),
        (_changed(surface.PHOTO_TAG, b""), CardPhotoMissing),
        (_without(surface.SIGNATURE_TAG), CardDataForged),
        (_changed(surface.SIGNATURE_TAG, b""), CardDataForged),
        (_changed(surface.SIGNATURE_TAG, bytes(256)), CardDataForged),
        (_changed(surface.SIGNATURE_TAG, b"\xff" * 256), CardDataForged),
        (_changed(surface.SIGNATURE_TAG, b"\x01" * 255), CardDataForged),
        (_changed(surface.SIGNATURE_TAG, b"\x01" * 257), CardDataForged),
        (_flip_signature, CardDataForged),
        (_changed(surface.PHOTO_TAG, b"another face"), CardDataForged),
        (_changed(surface.BIRTH_TAG, b"19850413"), CardDataForged),
        (_changed(surface.SEX_TAG, b"1"), CardDataForged),
        (_changed(surface.NAME_IMAGE_TAG, b"another name"), CardDataForged),
        (_changed(surface.ADDRESS_IMAGE_TAG, b""), CardDataForged),
        (_changed(surface.KEY_TAG, encode_key(new_key().public_key())), CardDataForged),
        (_cut_in_half, CardDataMalformed),
        (lambda visual: replace(visual, record=b""), CardError),
        (lambda visual: replace(visual, record=b"\xff" * 20), CardDataMalformed),
        (lambda visual: replace(visual, record=tlv.encode(0xFF10, b"")), CardDataMalformed),
        (lambda visual: replace(visual, record=b"\xff\x20\x83\x01\x00\x00"), CardDataMalformed),
        (lambda visual: replace(visual, record=tlv.encode(0xFF20, bytes(0x7FFF))), CardDataMalformed),
        (_without(surface.KEY_TAG), CardDataMalformed),
        (_without(surface.BIRTH_TAG), CardDataMalformed),
        (_without(surface.EXPIRY_TAG), CardDataMalformed),
        (_without(surface.NAME_IMAGE_TAG), CardDataMalformed),
        (_changed(surface.BIRTH_TAG, b"19851340"), CardDataMalformed),
        (_changed(surface.BIRTH_TAG, "１９８５０４１２".encode()), CardDataMalformed),
        (_changed(surface.BIRTH_TAG, b"1985041"), CardDataMalformed),
        (_changed(surface.SEX_TAG, b"7"), CardDataMalformed),
        (_changed(surface.KEY_TAG, b""), CardDataMalformed),
        (_changed(surface.KEY_TAG, b"\x90\x01\x03"), CardDataMalformed),
        (lambda visual: replace(visual, certificate=tlv.encode(0x7F21, b"")), CardDataMalformed),
        (lambda visual: replace(visual, certificate=visual.certificate[:200]), CardDataMalformed),
        (lambda visual: replace(visual, certificate=visual.certificate[:-256] + bytes(256)), CardDataForged),
    ],
)
def test_a_record_that_is_not_as_it_was_issued_is_never_used(
    visual_content: CardContent,
    issuer: VisualIssuer,
    change: Callable[[VisualContent], VisualContent],
    error: type[CardError],
) -> None:
    with pytest.raises(error):
        read(visual_content, change(visual_of(visual_content)), issuer)


def test_expiry_and_security_code_are_not_signed(visual_content: CardContent, issuer: VisualIssuer) -> None:
    """The field's own weakness, written down: nobody may rely on them."""
    for tag, value in ((surface.EXPIRY_TAG, b"20991231"), (surface.SECURITY_CODE_IMAGE_TAG, b"")):
        assert read(visual_content, _changed(tag, value)(visual_of(visual_content)), issuer).verified


def test_a_forger_with_an_authority_of_his_own_under_the_pinned_name_is_caught(
    visual_content: CardContent, issuer: VisualIssuer
) -> None:
    forged = VisualIssuer(new_key(), new_key()).issue(HOLDER, b"his own face", (b"1", b"2", b"3"))
    with pytest.raises(CardDataForged):
        read(visual_content, forged, issuer)
    assert not read(visual_content, forged, None).verified


def test_a_record_signed_by_the_cards_own_key_is_caught(visual_content: CardContent, issuer: VisualIssuer) -> None:
    visual = visual_of(visual_content)
    signed = VisualIssuer(issuer.authority, visual.key).sign(tuple(fields_of(visual.record).items()))
    with pytest.raises(CardDataForged):
        read(visual_content, _changed(surface.SIGNATURE_TAG, signed)(visual), issuer)


def test_a_signature_over_one_hash_instead_of_three_is_caught(
    visual_content: CardContent, issuer: VisualIssuer
) -> None:
    visual = visual_of(visual_content)
    whole = issuer.issuer.sign(visual.record, padding.PKCS1v15(), SHA256())
    with pytest.raises(CardDataForged):
        read(visual_content, _changed(surface.SIGNATURE_TAG, whole)(visual), issuer)


def test_a_copy_of_a_cards_files_on_another_card_is_caught(visual_content: CardContent, issuer: VisualIssuer) -> None:
    with pytest.raises(CardCopied):
        read(visual_content, replace(visual_of(visual_content), key=new_key()), issuer)


def test_a_card_that_does_not_sign_is_taken_for_a_copy(visual_content: CardContent, issuer: VisualIssuer) -> None:
    class Mute:
        def __init__(self) -> None:
            self.card = VirtualCard(visual_content)

        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6d\x00" if apdu[1] == 0x2A else self.card.transmit(apdu)

    with pytest.raises(CardCopied):
        read_surface(VisualSession.open(Mute()), NUMBER_B, issuer.authorities, bytes(32))


def test_a_signature_made_for_another_challenge_is_taken_for_a_copy(
    visual_content: CardContent, issuer: VisualIssuer
) -> None:
    class Replaying:
        def __init__(self) -> None:
            self.card = VirtualCard(visual_content)
            self.recorded = VisualSession.open(self.card).sign(b"an earlier challenge")

        def transmit(self, apdu: bytes) -> bytes:
            return self.recorded + b"\x90\x00" if apdu[1] == 0x2A else self.card.transmit(apdu)

    with pytest.raises(CardCopied):
        read_surface(VisualSession.open(Replaying()), NUMBER_B, issuer.authorities, secrets.token_bytes(32))


def test_the_signed_segments_are_taken_as_they_were_written(issuer: VisualIssuer, visual_content: CardContent) -> None:
    """A length in a longer form than needed is part of what was signed."""
    fields = fields_of(visual_of(visual_content).record)
    long_form = {
        tag: tag.to_bytes(2, "big") + b"\x82" + len(value).to_bytes(2, "big") + value for tag, value in fields.items()
    }
    digests = b"".join(sha256(b"".join(long_form[tag] for tag in tags)).digest() for tags in surface.SIGNED_SEGMENTS)
    signature = sign_padded(issuer.issuer, digest_info(digests))
    long_form[surface.SIGNATURE_TAG] = tlv.encode(surface.SIGNATURE_TAG, signature)
    record = CardSurface.parse(tlv.encode(surface.RECORD_TAG, b"".join(long_form.values())))
    certificate = CvCertificate.parse(issuer.certificate())
    assert record.verify(certificate, issuer.authorities) is Trust.VERIFIED


def test_a_card_without_a_photo_says_so(content: CardContent, issuer: VisualIssuer) -> None:
    session = VisualSession.open(VirtualCard(content))
    session.verify_number_b(NUMBER_B)
    with pytest.raises(CardPhotoMissing):
        session.record()


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3), (3072, 65537)])
def test_only_the_cards_kind_of_key_is_a_key(bits: int, exponent: int) -> None:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    raw = tlv.encode(0x90, exponent.to_bytes(3, "big")) + tlv.encode(0x91, numbers.n.to_bytes(bits // 8, "big"))
    with pytest.raises(CardDataMalformed):
        parse_key(raw)


def test_pinned_authorities_are_read_by_their_id(issuer: VisualIssuer, jpki: object) -> None:
    pem = issuer.authority.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert load_authorities({AUTHORITY_ID.hex(): pem}).keys() == {AUTHORITY_ID}
    small = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - too small on purpose
    for name, bad in (
        ("00", pem),
        ("xx", pem),
        (AUTHORITY_ID.hex(), b"no PEM"),
        (AUTHORITY_ID.hex(), small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - cryptography's own words vary
            load_authorities({name: bad})


def test_the_folder_keeps_the_visual_application_and_the_tries_of_number_b(
    visual_content: CardContent, issuer: VisualIssuer, tmp_path: Path
) -> None:
    save_card(tmp_path, visual_content)
    with card_in_folder(tmp_path) as card, pytest.raises(NumberBWrong):
        VisualSession.open(card).verify_number_b(WRONG)
    with card_in_folder(tmp_path) as card:
        assert VisualSession.open(card).tries_left() == 9
        assert read_surface(VisualSession.open(card), NUMBER_B, issuer.authorities, bytes(32)).verified
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("visual.*")} == dict.fromkeys(
        ("visual.record", "visual.certificate", "visual.key"), 0o600
    )
    save_card(tmp_path, replace(visual_content, visual=None))
    assert load_content(tmp_path).visual is None


@pytest.mark.parametrize("bad", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_only_a_picture_becomes_a_photo(bad: bytes) -> None:
    with pytest.raises(PictureUnreadable):
        card_photo(bad)
