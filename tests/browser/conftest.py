"""A browser without a network, and pages to open in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from helpers.pages.opened import Open, Opened, Reported
from helpers.results import report_samples as made

# A page may not ask for anything but itself.
LOCAL = ("file://", "data:", "blob:", "about:")


@pytest.fixture(scope="session")
def browser(require: Callable[[str], str]) -> Iterator[Browser]:
    """Start the browser once."""
    path = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe(require_module: Callable[[str], Path]) -> str:
    """Return the source of axe-core, as axe-playwright-python ships it."""
    return (require_module("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a profile of its own, without a network."""
    profile = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}, accept_downloads=True)
    profile.set_default_timeout(10_000)
    yield profile
    profile.close()


@pytest.fixture
def opened(context: BrowserContext) -> Open:
    """Return what opens a page; ``width`` is that of the window."""

    def open_page(path: Path, width: int = 1280) -> Opened:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        heard: list[str] = []
        page.on("console", lambda message: heard.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: None if request.url.startswith(LOCAL) else heard.append(f"request: {request.url[:100]}"),
        )
        page.goto(path.as_uri(), wait_until="load")
        return Opened(page, heard)

    return open_page


@pytest.fixture
def make_report(tmp_path: Path) -> Callable[[made.Scenario], Reported]:
    """Return what makes a sample and its control."""

    def make(scenario: made.Scenario) -> Reported:
        folder = tmp_path / scenario.sample
        control = made.write_sample(tmp_path / "C01", made.CONTROL)
        return Reported(folder, *made.write_sample(folder, scenario), control)

    return make
