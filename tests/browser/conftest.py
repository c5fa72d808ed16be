"""Debian's Chromium, driven by Playwright; where it is absent these tests skip and say so."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

expect.set_options(timeout=60_000)  # for what is waited for on a page, on a machine of any speed
CHROMIUM: Final = shutil.which("chromium")
# Nothing is fetched from anywhere, and root may run it.
OPTIONS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (make setup says why)")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        try:
            yield started
        finally:
            await started.close()


@pytest.fixture
async def page(browser: Browser, tmp_path: Path) -> AsyncIterator[Page]:
    """A window whose every error ends the test."""
    opened = await browser.new_page(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield opened
    assert errors == []
