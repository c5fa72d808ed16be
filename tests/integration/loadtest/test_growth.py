"""What is stored beside the many is in the partition that the answers under test are written to."""

from typing import Any

from rich.console import Console

from loadtest.bench.growth import store

_OF_LAST_MONTH = """
insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for, known_at,
                          outcome)
select first_uuid7(at), at, '1310000001', '00000000-0000-4000-8000-000000000000', 'pin', at::date, at, 'valid'
from generate_series(1, 30) n, lateral (select date_trunc('month', now(), 'UTC') - interval '1 hour' * n as at) month
"""
_BY_MONTH = """
select count(*) from verification group by tableoid::regclass::text order by tableoid::regclass::text
"""


async def test_what_another_month_holds_is_not_counted(database: str, owner: Any) -> None:
    await owner.execute("select prepare_partitions(now() - interval '1 month')")
    await owner.execute(_OF_LAST_MONTH)
    for _ in range(2):  # the second time nothing is missing
        await store(database, 40, 7, Console(quiet=True))
        assert [row[0] for row in await owner.fetch(_BY_MONTH)] == [30, 40]
        assert await owner.fetchval("select count(*) from audit_event") == 40
