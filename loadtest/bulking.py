"""A clinic's bulk check of tomorrow's appointments, from sending it to its last result."""

import json
import ssl
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from loadtest.driving.connection import terminal_tls
from loadtest.driving.deck import DeckNumber
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


def worker(site: Site) -> AbstractContextManager[object]:
    """Run the worker that does bulk checks."""
    return running("eligibility", ["worker"], site.api_environment(1), site.folder / "worker.log", BESIDE_COUNTERS)


def check_in_bulk(site: Site, url: str, numbers: Sequence[DeckNumber], items: int) -> Bulk:
    """Ask about so many insured numbers at once, fetch every result, and hold it against whom was asked about."""
    asked = [json.loads(numbers[n % len(numbers)].body) | {"item_id": str(n)} for n in range(items)]
    certificate, key = site.terminal_certificate(_TERMINAL)
    context: ssl.SSLContext = terminal_tls(site.folder / "pki" / "server_authority.crt", certificate, key)
    began = time.monotonic()
    with httpx.Client(base_url=url, verify=context, timeout=60) as client:
        taken = _sent(client, "POST", "/v1/bulk-verifications", {"items": asked})
        if taken.status_code != httpx.codes.ACCEPTED:
            return Bulk(items, float("nan"), 0, f"{taken.status_code}: {taken.text[:200]}")
        path = f"/v1/bulk-verifications/{taken.json()['bulk_id']}"
        while (state := _json(client, path)["state"]) != "done":
            if time.monotonic() - began > _TIMEOUT_S:
                return Bulk(items, float("nan"), 0, f"still {state} after {_TIMEOUT_S:.0f} s")
            time.sleep(_LOOK_EVERY_S)
        results: list[dict[str, Any]] = []
        after = 0
        while after is not None:
            page = _json(client, f"{path}/results?after={after}")
            results += page["results"]
            after = page["after"]
    seconds = time.monotonic() - began
    return Bulk(items, seconds, sum(_is_own(numbers[int(r["item_id"]) % len(numbers)], r) for r in results))


def all_of(checks: Sequence[Bulk]) -> Bulk:
    """Put several bulk checks together; the time is the longest one's."""
    said = "; ".join(one.said for one in checks if one.said)
    longest = max(one.seconds for one in checks) if not said else float("nan")
    return Bulk(sum(one.items for one in checks), longest, sum(one.answered for one in checks), said)


def _is_own(number: DeckNumber, result: dict[str, Any]) -> bool:
    told = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
    return all(part in told for part in number.holder)


def _json(client: httpx.Client, path: str) -> dict[str, Any]:
    said: dict[str, Any] = _sent(client, "GET", path).raise_for_status().json()
    return said


def _sent(client: httpx.Client, method: str, path: str, message: object = None) -> httpx.Response:
    answer = client.request(method, path, json=message)
    while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers:
        time.sleep(float(answer.headers["Retry-After"]))  # shed, as a terminal is, and sent again like one
        answer = client.request(method, path, json=message)
    return answer
