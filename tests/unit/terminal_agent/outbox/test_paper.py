from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from pypdf import PdfReader

from terminal_agent.outbox.paper import Statement, print_statement

FULL = Statement(
    institution="架空診療所", visited_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC), name="髙橋　花子",
    name_kana="タカハシ ハナコ", birth_date=date(1940, 2, 29), address="東京都千代田区" + "霞が関" * 30,
    telephone="03-0000-0000", insurer="06130512", symbol_and_number="１２・３４５", copayment_percent=20,
)  # fmt: skip


@pytest.mark.parametrize("statement", [Statement(), FULL])
def test_the_statement_is_one_page_that_can_be_read(statement: Statement) -> None:
    pdf = print_statement(statement)
    (page,) = PdfReader(BytesIO(pdf)).pages
    text = page.extract_text()
    for asked in ("被保険者資格申立書", "氏名", "生年月日", "保険者", "負担割合", "署名"):
        assert asked in text
    assert print_statement(statement) == pdf


def test_what_is_known_is_filled_in_with_the_day_in_japan() -> None:
    text = PdfReader(BytesIO(print_statement(FULL))).pages[0].extract_text()
    for known in ("架空診療所", "2026年11月21日 08:30", "1940年02月29日", "06130512", "■ 2割", "□ 3割"):
        assert known in text
