"""What is said of a database's address that is none, and what is not: the address; what pooled connections know."""

import traceback

import pytest

from eligibility.__main__ import main as centre_command
from eligibility.storage.database import MalformedAddress, connect, open_pool
from eligibility.storage.statements import statements

MALFORMED = [
    "canary",
    "http://canary@host/name",
    "postgresql://user:can#ary@host/name",
    "postgresql://u:p@host:canary/n",
]


@pytest.mark.parametrize("address", MALFORMED)
async def test_an_address_of_another_form_is_named_and_not_repeated(address: str) -> None:
    with pytest.raises(MalformedAddress) as refused:
        await connect(address)
    told = "".join(traceback.format_exception_only(refused.value))
    assert "can" not in told
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("address", MALFORMED)
def test_a_command_ends_with_a_sentence(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", address)
    assert centre_command(["migrate"]) == 3
    said = capsys.readouterr().err
    assert "postgresql://USER:PASSWORD@HOST/NAME" in said
    assert "can" not in said


@pytest.mark.parametrize(
    ("role", "package"),
    [("eligibility_counter", "eligibility.storage.queries"), ("eligibility_payer", "payer_sync.queries")],
)
async def test_a_pooled_connection_never_asks_what_a_type_is_while_somebody_waits(
    role: str, package: str, database: str
) -> None:
    asked: list[str] = []
    pool = await open_pool(database, role=role, size=1)
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda record: asked.append(record.query))
        for text in statements(package).values():
            await connection.prepare(text)
    await pool.close()
    assert asked == []
