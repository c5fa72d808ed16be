import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.card import tlv
from terminal_agent.card.errors import CardDataMalformed


@given(
    st.dictionaries(st.sampled_from([0x30, 0xDF21, 0xDF22, 0xFF20, 0x7F21]), st.binary(max_size=70000 // 5), max_size=5)
)
def test_what_is_written_is_read_back(values: dict[int, bytes]) -> None:
    assert tlv.decode(b"".join(tlv.encode(tag, value) for tag, value in values.items())) == values


@pytest.mark.parametrize(("count", "header"), [(0, "df2200"), (127, "df227f"), (128, "df228180"), (256, "df22820100")])
def test_a_length_takes_as_few_bytes_as_it_can(count: int, header: str) -> None:
    assert tlv.encode(0xDF22, bytes(count)) == bytes.fromhex(header) + bytes(count)


@pytest.mark.parametrize(
    "raw",
    [
        "df",
        "df22",
        "df2280",  # no indefinite length
        "df2281",
        "df228201",
        "df2283000001ff",  # no card's file has 64 KiB
        "df2202aa",
        "df2201aadf2201bb",  # twice the same tag
    ],
)
def test_what_is_no_tlv_is_refused(raw: str) -> None:
    with pytest.raises(CardDataMalformed):
        tlv.decode(bytes.fromhex(raw))


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        tlv.decode(raw)
    except CardDataMalformed:
        return
