"""A clinic's bulk check of tomorrow's appointments, from sending it to its last result."""

import json
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from loadtest.driving.connection import Answer, terminal_tls
from loadtest.driving.deck import DeckNumber
from loadtest.driving.driver import ending
from loadtest.driving.plan import SHED
from loadtest.processes import BESIDE_COUNTERS, running
from loadtest.site import Site

_TERMINAL: Final = 255  # none that the driver uses
_LOOK_EVERY_S: Final = 0.05
_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one bulk check came to."""

    items: int
    seconds: float
    answered: int  # items whose outcome is that of whom they ask about
    said: str = ""  # what went wrong
    shed: int = 0  # requests that were turned away before anything was done, and sent again as a terminal does


def worker(site: Site) -> AbstractContextManager[object]:
    """Run the worker that does bulk checks."""
    return running("eligibility", ["worker"], site.api_environment(1), site.folder / "worker.log", BESIDE_COUNTERS)


def check_in_bulk(
    site: Site, url: str, numbers: Sequence[DeckNumber], items: int, given_up: threading.Event | None = None
) -> Bulk:
    """Ask about so many insured numbers at once, fetch every result, and hold it against whom was asked about.

    It ends early when it is given up.
    """
    asked = [json.loads(numbers[n % len(numbers)].body) | {"item_id": str(n)} for n in range(items)]
    certificate, key = site.terminal_certificate(_TERMINAL)
    context: ssl.SSLContext = terminal_tls(site.folder / "pki" / "server_authority.crt", certificate, key)
    with httpx.Client(base_url=url, verify=context, timeout=60) as client:
        return Check(client, given_up or threading.Event()).run(asked, numbers)


class _Ended(Exception):
    """The check came to no results; the message says why."""


class Check:
    """One bulk check on its way; it ends early when it is given up."""

    def __init__(self, client: httpx.Client, given_up: threading.Event) -> None:
        self._client, self._given_up = client, given_up
        self._began = time.monotonic()
        self._shed = 0

    def run(self, asked: Sequence[dict[str, Any]], numbers: Sequence[DeckNumber]) -> Bulk:
        """Ask about items, the nth about the nth of some numbers or, beyond these, from the first again."""
        try:
            results = self._results(asked)
        except (_Ended, httpx.HTTPError) as ended:
            return Bulk(len(asked), float("nan"), 0, str(ended) or type(ended).__qualname__, self._shed)
        seconds = time.monotonic() - self._began
        found = {result["item_id"]: result for result in results}
        own = sum(
            one["item_id"] in found and _is_own(numbers[n % len(numbers)], found[one["item_id"]])
            for n, one in enumerate(asked)
        )
        if len(results) != len(asked):
            said = f"{len(results):,} results of {len(asked):,} items"
            return Bulk(len(asked), float("nan"), own, said, self._shed)
        return Bulk(len(asked), seconds, own, shed=self._shed)

    def _results(self, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        taken = self._sent("POST", "/v1/bulk-verifications", {"items": asked})
        path = f"/v1/bulk-verifications/{taken['bulk_id']}"
        while (state := self._sent("GET", path)["state"]) != "done":
            if time.monotonic() - self._began > _TIMEOUT_S:
                raise _Ended(f"still {state} after {_TIMEOUT_S:.0f} s")
            if self._given_up.wait(_LOOK_EVERY_S):
                raise _Ended("given up")
        results: list[dict[str, Any]] = []
        after = 0
        while after is not None:
            page = self._sent("GET", f"{path}/results?after={after}")
            results += page["results"]
            after = page["after"]
        return results

    def _sent(self, method: str, path: str, message: object = None) -> Any:
        while True:
            answer = self._client.request(method, path, json=message)
            if answer.is_success:
                return answer.json()
            retry_after = answer.headers.get("Retry-After", "")
            kind, name = ending(Answer(answer.status_code, answer.content, retry_after.encode()), ())
            if kind != SHED:
                raise _Ended(f"{method} {path}: {name}")
            self._shed += 1
            if self._given_up.wait(float(retry_after)):
                raise _Ended("given up")


def all_of(checks: Sequence[Bulk]) -> Bulk:
    """Put several bulk checks together; the time is the longest one's."""
    said = "; ".join(one.said for one in checks if one.said)
    longest = max(one.seconds for one in checks) if not said else float("nan")
    items, answered, shed = (sum(getattr(one, name) for one in checks) for name in ("items", "answered", "shed"))
    return Bulk(items, longest, answered, said, shed)


def _is_own(number: DeckNumber, result: dict[str, Any]) -> bool:
    told = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
    return all(part in told for part in number.holder)
