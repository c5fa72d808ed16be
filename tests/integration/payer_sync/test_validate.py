"""The offline check and the intake say the same of the same file."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eligibility.domain.dates import day_in_japan
from payer_sync.layouts.register import find_layout
from payer_sync.validation import Validation

pytestmark = pytest.mark.database
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401"}


async def test_every_fault_that_a_file_alone_shows_is_told_offline_too(take_in: Any, write: Any, record: Any) -> None:
    path = write(
        record(1), record(2, 性別="9"), record(3, **LIMIT), record(3, **LIMIT), record(3, 氏名="別の　名前"),
        record(4), record(4, 資格取得日="20250401"), record(5, 住所="外\ue000字"),
        record(6, 資格喪失日="20200101", 喪失事由="99"), record(7, 紐付番号="123456789018"), record(8),
    )  # fmt: skip

    loaded = await take_in(path)
    validation = Validation(path, find_layout("eligibility", 1), None, day_in_japan(datetime.now(UTC)))
    offline = [
        (line.record, line.field, line.code, line.severity, line.value_shape, line.expected)
        for line in validation.lines()
    ]

    assert offline == [tuple(fault) for fault in loaded.faults]
    assert (validation.records, validation.refused_records) == loaded.counts[:2]
    assert len(offline) > 8
