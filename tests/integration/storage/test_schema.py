"""What the schema itself guards."""

from typing import Any

import asyncpg
import pytest


@pytest.mark.parametrize(
    "change", ["update audit_event set code = 'x'", "delete from audit_event", "truncate audit_event"]
)
async def test_even_the_owner_cannot_change_an_audit_event(owner: Any, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
        await owner.execute(change)
