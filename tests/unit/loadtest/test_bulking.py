"""A bulk check counts what was answered, and nothing that was not."""

import math
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from loadtest.bulking import Check
from loadtest.driving.deck import DeckNumber

NUMBERS = [DeckNumber(b"{}", (f'"name":"{n}"'.encode(),)) for n in range(2)]
ITEMS = [{"item_id": "0"}, {"item_id": "1"}]
TAKEN = httpx.Response(202, json={"bulk_id": "b"})
DONE = httpx.Response(200, json={"state": "done"})


def refused(code: str, retry_after: str = "0") -> httpx.Response:
    """What a centre says that does nothing now."""
    return httpx.Response(503, json={"code": code}, headers={"Retry-After": retry_after})


def page(*results: tuple[str, str]) -> httpx.Response:
    """A page of results, each of an item about somebody."""
    return httpx.Response(
        200, json={"results": [{"item_id": item, "name": name} for item, name in results], "after": None}
    )


def answered(*answers: httpx.Response, given_up: threading.Event | None = None) -> Any:
    """What a check comes to that is answered like this, one request after the other."""
    coming: Iterator[httpx.Response] = iter(answers)
    with httpx.Client(transport=httpx.MockTransport(lambda _: next(coming)), base_url="https://centre") as client:
        return Check(client, given_up or threading.Event()).run(ITEMS, NUMBERS)


def test_a_result_for_each_item_is_answered() -> None:
    done = answered(TAKEN, DONE, page(("1", "1"), ("0", "0")))
    assert (done.items, done.answered, done.said, done.shed) == (2, 2, "", 0)
    assert math.isfinite(done.seconds)


def test_what_was_shed_is_sent_again_and_counted() -> None:
    done = answered(refused("overloaded"), TAKEN, refused("overloaded"), DONE, page(("0", "0"), ("1", "1")))
    assert (done.answered, done.shed) == (2, 2)


@pytest.mark.parametrize("code", ["busy", "revocation_unknown"])
def test_any_other_refusal_ends_it(code: str) -> None:
    done = answered(refused(code), TAKEN, DONE, page(("0", "0"), ("1", "1")))
    assert (done.answered, done.said) == (0, f"POST /v1/bulk-verifications: 503 {code}")
    assert math.isnan(done.seconds)


@pytest.mark.parametrize(
    ("results", "own", "said"),
    [
        ([("0", "0"), ("0", "0")], 1, ""),
        ([("0", "1"), ("1", "1")], 1, ""),
        ([("0", "0")], 1, "1 results of 2 items"),
        ([("0", "0"), ("1", "1"), ("1", "1")], 2, "3 results of 2 items"),
    ],
)
def test_results_that_are_doubled_missing_or_of_others_do_not_count(
    results: list[tuple[str, str]], own: int, said: str
) -> None:
    done = answered(TAKEN, DONE, page(*results))
    assert (done.answered, done.said, math.isnan(done.seconds)) == (own, said, said != "")


def test_a_check_that_is_given_up_ends() -> None:
    given_up = threading.Event()
    given_up.set()
    done = answered(TAKEN, httpx.Response(200, json={"state": "waiting"}), given_up=given_up)
    assert (done.answered, done.said) == (0, "given up")
