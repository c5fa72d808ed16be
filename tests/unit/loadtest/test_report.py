"""A report shows whatever was at work in any of its windows."""

from datetime import UTC, datetime

from loadtest.measuring import Observation, Sample
from loadtest.record import Chapter, Record, Setting
from loadtest.report import to_html
from loadtest.verdict import Verdict


def sample(at_s: float, *parts: str) -> Sample:
    return Sample(at_s, dict.fromkeys(parts, 1.0), dict.fromkeys(parts, 100.0), 1.0, 1.0, 1.0)


def test_what_is_at_work_in_a_later_window_alone_is_drawn_too() -> None:
    observation = Observation([sample(1.0, "api", "postgresql"), sample(2.0, "ceiling", "postgresql")])
    setting = Setting("small", 1, 0, 1, 1, datetime.now(UTC), 1, 1, "17")
    page = to_html(Record(setting, [Chapter("limit", "", [], [], observation)], Verdict(())))
    assert page.count("<!-- api -->") == page.count("<!-- ceiling -->") == 2
