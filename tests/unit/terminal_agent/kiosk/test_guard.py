"""The local pages are for the browser that was opened with this start's address, and for nobody else."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from terminal_agent.kiosk.guard import Cookies, Guard, Keys

HOST = "127.0.0.1:8480"
KEYS, COOKIES = Keys("patient-key", "staff-key"), Cookies(8480)


async def _answer(request: Request) -> Response:
    return PlainTextResponse("inside")


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[Route(path, _answer, methods=["GET", "POST"]) for path in ("/", "/act", "/staff", "/staffing")]
    )
    app.add_middleware(Guard, hosts=frozenset({HOST}), keys=KEYS, cookies=COOKIES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{HOST}") as client:
        yield client


PATIENT = {"cookie": f"{COOKIES.patient}=patient-key"}
STAFF = {"cookie": f"{COOKIES.staff}=staff-key"}
OWN = {"origin": f"http://{HOST}"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", PATIENT),
        ("GET", "/", PATIENT | {"sec-fetch-site": "none"}),
        ("GET", "/", {"cookie": f"other=1; {COOKIES.patient}=patient-key"}),
        ("POST", "/act", PATIENT | OWN | {"sec-fetch-site": "same-origin"}),
        ("GET", "/staff", STAFF),
    ],
)
async def test_our_own_browser_is_let_in(
    browser: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await browser.request(method, path, headers=headers)
    assert (answer.status_code, answer.text) == (200, "inside")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 403),
        ("GET", "/", {"cookie": f"{COOKIES.patient}="}, 403),
        ("GET", "/", {"cookie": f"{COOKIES.patient}=patient-kez"}, 403),
        ("GET", "/", STAFF, 403),
        ("GET", "/", {"cookie": f"{COOKIES.patient}=staff-key"}, 403),
        ("GET", "/staff", PATIENT, 403),
        ("GET", "/", {"cookie": "counter_patient=patient-key"}, 403),
        ("GET", "/", {"cookie": f"{Cookies(8481).patient}=patient-key"}, 403),
        ("GET", "/staff", {"cookie": f"{COOKIES.staff}=patient-key"}, 403),
        ("GET", "/staffing", STAFF, 403),
        ("GET", "/", PATIENT | {"host": "evil.example"}, 421),
        ("GET", "/", PATIENT | {"host": "127.0.0.1"}, 421),
        ("GET", "/", PATIENT | {"host": "127.0.0.1:8480.evil.example"}, 421),
        ("GET", "/", PATIENT | {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/", PATIENT | {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/act", PATIENT, 403),
        ("POST", "/act", PATIENT | {"origin": "null"}, 403),
        ("POST", "/act", PATIENT | {"origin": "https://evil.example"}, 403),
        ("POST", "/act", PATIENT | {"origin": "http://127.0.0.1:9999"}, 403),
        ("POST", "/act", PATIENT | {"origin": f"https://{HOST}"}, 403),
        ("DELETE", "/act", PATIENT | {"origin": "http://evil.example"}, 403),
        ("POST", "/act", OWN, 403),
    ],
)
async def test_everybody_else_is_refused(
    browser: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await browser.request(method, path, headers=headers)
    assert answer.status_code == status
    assert "inside" not in answer.text


@pytest.mark.parametrize("headers", [PATIENT, {}])
async def test_every_answer_is_strict_about_what_a_page_may_do(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await browser.get("/", headers=headers)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"


def test_keys_are_new_at_every_start_and_do_not_show() -> None:
    one, other = Keys(), Keys()
    assert len({one.patient, one.staff, other.patient, other.staff}) == 4
    assert one.patient not in repr(one)
    assert one.staff not in repr(one)
