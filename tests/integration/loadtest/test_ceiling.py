"""The ceiling begins with an empty table, and may do in it what it has to as the counters' role."""

from typing import Any

from eligibility.storage.database import open_pool
from loadtest.bench.ceiling import make_table


async def test_no_run_writes_into_what_another_has_left(database: str, owner: Any) -> None:
    await make_table(database)
    pool = await open_pool(database, role="eligibility_counter", size=1)
    try:
        await pool.execute("insert into ceiling_record values ('a', now()) on conflict do nothing")
    finally:
        await pool.close()
    assert await owner.fetchval("select count(*) from ceiling_record") == 1
    await make_table(database)
    assert await owner.fetchval("select count(*) from ceiling_record") == 0
