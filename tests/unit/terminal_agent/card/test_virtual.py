from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal_agent.card.sessions import SHA256_DIGEST_INFO
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent

JPKI, TEXT, VISUAL = "D392F000260100000001", "D3921000310001010408", "D3921000310001010402"
AUTH_PIN, SIGN_PIN, TEXT_PIN = "2741", "KARUTA77", "5906"
NUMBER_B, BIRTH_PIN = "60041220348123", "600412"


def send(card: VirtualCard, *commands: str) -> str:
    """Return the last answer, as hexadecimal digits."""
    answer = b""
    for command in commands:
        answer = card.transmit(bytes.fromhex(command))
    return answer.hex().upper()


def app(aid: str) -> str:
    return f"00A4040C{len(aid) // 2:02X}{aid}"


def ef(file_id: str) -> str:
    return f"00A4020C02{file_id}"


def pin(text: str) -> str:
    return f"00200080{len(text):02X}{text.encode().hex()}"


TRIES = "00200080"
READ = "00B0000004"
SIGN = "802A008003AABBCC00"


@pytest.mark.parametrize(
    ("commands", "status_word"),
    [
        # Selecting.
        ([app(JPKI)], "9000"),
        ([app(TEXT)], "9000"),
        ([app(VISUAL)], "9000"),
        ([app("D3921000310001010401")], "9000"),
        ([app("D3921000310001010100")], "9000"),
        ([app("A0000000031010")], "6A82"),
        ([app(JPKI[:-2])], "6A82"),
        ([app(JPKI), "00A4000C023F00"], "6A86"),
        ([app(JPKI), "00A40200020006"], "6A86"),
        ([ef("0006")], "6A82"),
        ([app(JPKI), ef("0006")], "9000"),
        ([app(JPKI), ef("0003")], "6A82"),
        ([app(JPKI), "00A4020C0100"], "6700"),
        ([app(JPKI), "00A4020C03000600"], "6700"),
        ([app(JPKI), ef("0006"), app("A0000000031010"), READ], "9000"),
        ([app("D3921000310001010401"), ef("0006")], "6A82"),
        # Reading.
        ([READ], "6986"),
        ([app(JPKI), READ], "6986"),
        ([app(JPKI), ef("0006"), app(TEXT), READ], "6986"),
        ([app(JPKI), ef("0006"), "00B00000A1"], "9000"),
        ([app(JPKI), ef("0006"), "00B0009F00"], "9000"),
        ([app(JPKI), ef("0006"), "00B000A000"], "6B00"),
        ([app(JPKI), ef("0006"), "00B07FFF00"], "6B00"),
        ([app(JPKI), ef("0006"), "00B00000"], "6700"),
        ([app(JPKI), ef("0006"), "00B0000001AA"], "6700"),
        ([app(JPKI), "00B0860004"], "9000"),
        ([app(JPKI), "00B0830004"], "6A82"),
        ([app(JPKI), "00B0810004"], "6982"),
        ([app(JPKI), ef("0017"), READ], "6986"),
        ([app(JPKI), ef("0018"), READ], "6986"),
        # The PIN.
        ([TRIES], "6986"),
        ([app(JPKI), TRIES], "6986"),
        ([app(JPKI), ef("0006"), TRIES], "6986"),
        ([app(JPKI), ef("0017"), pin(AUTH_PIN)], "6986"),
        ([app(JPKI), ef("0018"), TRIES], "63C3"),
        ([app(JPKI), ef("001B"), TRIES], "63C5"),
        ([app(TEXT), ef("0011"), TRIES], "63C3"),
        ([app(TEXT), ef("0014"), TRIES], "63CA"),
        ([app(TEXT), ef("0015"), TRIES], "63CA"),
        ([app(JPKI), "00200098"], "63C3"),
        ([app(JPKI), "00200083"], "6A82"),
        ([app(JPKI), ef("0018"), "00200180"], "6A86"),
        ([app(JPKI), ef("0018"), "00200000"], "6A86"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN)], "9000"),
        ([app(JPKI), ef("0018"), pin("0000")], "63C2"),
        ([app(JPKI), ef("0018"), pin("274"), TRIES], "63C3"),
        ([app(JPKI), ef("0018"), pin("274")], "6700"),
        ([app(JPKI), ef("0018"), pin("27411")], "6700"),
        ([app(JPKI), ef("001B"), pin("KARUT")], "6700"),
        ([app(JPKI), ef("001B"), pin("karuta77")], "63C4"),
        ([app(TEXT), ef("0014"), pin("123456789018")], "63C9"),
        # Signing.
        ([SIGN], "6986"),
        ([app(JPKI), SIGN], "6986"),
        ([app(JPKI), ef("0018"), SIGN], "6986"),
        ([app(JPKI), ef("0017"), SIGN], "6982"),
        ([app(JPKI), ef("001A"), SIGN], "6982"),
        ([app(JPKI), ef("001B"), pin(SIGN_PIN), ef("0017"), SIGN], "6982"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("001A"), SIGN], "6982"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), SIGN], "6986"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), SIGN], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "802A009703AABBCC00"], "9000"),
        ([app(JPKI), ef("001B"), pin(SIGN_PIN), ef("001A"), SIGN], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), "802A008000"], "6700"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), f"802A0080F6{'AA' * 246}00"], "6700"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), f"802A0080F5{'AA' * 245}00"], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), "802A008003AABBCC10"], "6C00"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), "802A010003AABBCC00"], "6A86"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), "002A008003AABBCC00"], "6D00"),
        # What the verified PIN outlives, and what not.
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), app(JPKI), ef("0017"), SIGN], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), app(TEXT), app(JPKI), ef("0017"), SIGN], "6982"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), pin("0000"), ef("0017"), SIGN], "6982"),
        # Changing the PIN.
        ([app(JPKI), ef("0018"), "00240180033939"], "6700"),
        ([app(JPKI), ef("0018"), "002401800439393939"], "6982"),
        ([app(JPKI), ef("0017"), "002401800439393939"], "6986"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "002400800439393939"], "6A86"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "0024018003393939"], "6700"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "002401800439393939"], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "002401800439393939", pin("9999")], "9000"),
        ([app(JPKI), ef("0018"), pin(AUTH_PIN), "002401800439393939", pin(AUTH_PIN)], "63C2"),
        # The rest.
        (["0084000008"], "9000"),
        (["0084000000"], "9000"),
        (["00840000"], "6700"),
        (["0084010008"], "6A86"),
        (["00CA000000"], "6D00"),
        (["00C0000000"], "6D00"),
        (["80A4040C00"], "6D00"),
        (["80A20000"], "6D00"),
        (["A0A4000002"], "6E00"),
        (["04A4040C00"], "6E00"),
        ([""], "6700"),
        (["00A4"], "6700"),
        (["00A4040C05D392"], "6700"),
        (["00A4040C00000AD392F000260100000001"], "6700"),
    ],
)
def test_the_card_answers_as_the_real_one_does(card: VirtualCard, commands: list[str], status_word: str) -> None:
    assert send(card, *commands)[-4:] == status_word


@pytest.mark.parametrize(
    ("aid", "file_id", "opened_by"),
    [
        (JPKI, "0001", {("001B", SIGN_PIN)}),
        (JPKI, "0002", None),
        (JPKI, "0006", None),
        (JPKI, "0008", None),
        (JPKI, "000A", None),
        (JPKI, "000B", None),
        (JPKI, "0016", set()),
        (TEXT, "0001", set()),
        (TEXT, "0002", {("0011", TEXT_PIN), ("0015", NUMBER_B)}),
        (TEXT, "0003", {("0011", TEXT_PIN), ("0015", NUMBER_B)}),
        (TEXT, "0004", None),
        (TEXT, "0005", None),
        (VISUAL, "0001", {("0011", BIRTH_PIN)}),
        (VISUAL, "0002", {("0012", NUMBER_B)}),
        (VISUAL, "0003", None),
        (VISUAL, "0004", None),
        (VISUAL, "0005", set()),
    ],
)
def test_each_file_opens_for_its_own_pins_only(
    content: CardContent, aid: str, file_id: str, opened_by: set[tuple[str, str]] | None
) -> None:
    pins = {
        JPKI: {("0018", AUTH_PIN), ("001B", SIGN_PIN)},
        TEXT: {("0011", TEXT_PIN), ("0015", NUMBER_B)},
        VISUAL: {("0011", BIRTH_PIN), ("0012", NUMBER_B)},
    }[aid]
    bare = send(VirtualCard(content), app(aid), ef(file_id), READ)
    assert bare[-4:] == ("9000" if opened_by is None else "6982")
    for pin_file, text in pins:
        card = VirtualCard(content)
        assert send(card, app(aid), ef(pin_file), pin(text)) == "9000"
        opens = opened_by is None or (pin_file, text) in opened_by
        assert send(card, ef(file_id), READ)[-4:] == ("9000" if opens else "6982")


@pytest.mark.parametrize(
    ("aid", "pin_file", "right", "wrong", "tries"),
    [
        (JPKI, "0018", AUTH_PIN, "0000", 3),
        (JPKI, "001B", SIGN_PIN, "WRONG000", 5),
        (TEXT, "0011", TEXT_PIN, "0000", 3),
        (TEXT, "0015", NUMBER_B, "0" * 14, 10),
        (VISUAL, "0012", NUMBER_B, "0" * 14, 10),
    ],
)
def test_wrong_pins_count_down_over_power_cycles_then_block_for_good(
    card: VirtualCard, aid: str, pin_file: str, right: str, wrong: str, tries: int
) -> None:
    for left in reversed(range(tries)):
        assert send(card, app(aid), ef(pin_file), pin(wrong)) == f"63C{left:X}"
        card.reset()
        assert send(card, app(aid), ef(pin_file), TRIES) == f"63C{left:X}"
    for entered in (wrong, right, right):
        assert send(card, app(aid), ef(pin_file), pin(entered)) == "6984"
        card.reset()


def test_the_right_pin_gives_all_tries_back(card: VirtualCard) -> None:
    assert send(card, app(JPKI), ef("0018"), pin("0000"), pin("0000"), pin(AUTH_PIN), TRIES) == "63C3"


def test_asking_for_the_tries_uses_none_and_verifies_nothing(card: VirtualCard) -> None:
    assert send(card, app(JPKI), ef("0018"), *[TRIES] * 10) == "63C3"
    assert send(card, ef("0017"), SIGN) == "6982"


def test_power_down_forgets_what_was_verified_and_selected(card: VirtualCard) -> None:
    assert send(card, app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017")) == "9000"
    card.reset()
    assert send(card, SIGN) == "6986"
    assert send(card, app(JPKI), ef("0017"), SIGN) == "6982"


def test_the_signature_is_padded_by_the_card_over_the_very_bytes_given(card: VirtualCard, content: CardContent) -> None:
    digest_info = SHA256_DIGEST_INFO + sha256(b"message").digest()
    sign = f"802A0080{len(digest_info):02X}{digest_info.hex()}00"
    answer = bytes.fromhex(send(card, app(JPKI), ef("0018"), pin(AUTH_PIN), ef("0017"), sign))
    key = x509.load_der_x509_certificate(content.auth.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(answer[:-2], b"message", padding.PKCS1v15(), SHA256())
    assert answer == bytes.fromhex(send(card, sign))
    assert key.recover_data_from_signature(answer[:-2], padding.PKCS1v15(), None) == digest_info


def test_token_info_has_160_bytes_and_names_the_token(card: VirtualCard) -> None:
    info = bytes.fromhex(send(card, app(JPKI), ef("0006"), "00B0000000"))[:-2]
    assert len(info) == 160
    assert info[:32] == b"JPKIAPICCTOKEN2".ljust(32)


def test_challenges_are_of_the_length_asked_for_and_differ(card: VirtualCard) -> None:
    first, second = (bytes.fromhex(send(card, "0084000010"))[:-2] for _ in range(2))
    assert len(first) == len(second) == 16
    assert first != second


def test_kept_tries_are_taken_up_within_their_bounds(content: CardContent, card: VirtualCard) -> None:
    send(card, app(JPKI), ef("0018"), pin("0000"))
    again = VirtualCard(content)
    again.set_tries_left(card.tries_left() | {"unknown/0001": 1})
    assert send(again, app(JPKI), ef("0018"), TRIES) == "63C2"
    again.set_tries_left(dict.fromkeys(card.tries_left(), 99))
    assert send(again, app(JPKI), ef("0018"), TRIES) == "63C3"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(st.binary(max_size=300), max_size=5))
def test_any_bytes_get_an_answer(card: VirtualCard, commands: list[bytes]) -> None:
    for command in commands:
        assert len(card.transmit(command)) >= 2
