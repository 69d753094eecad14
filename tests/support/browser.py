"""Debian's Chromium, driven by Playwright: pages that complain about every error and every request to elsewhere."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

PROGRAM = "chromium"
ROOT = Path(__file__).parents[2]
AXE = ROOT / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = (1440, 900), (390, 844)


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser; the test is skipped where there is none, and fails in CI, where there must be one."""
    program = shutil.which(PROGRAM)
    if program is None:
        _missing(f"{PROGRAM} (Debian package chromium) is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """A page of the browser, and all that it complained about."""

    page: Page
    home: str
    """``http://host:port`` that it may talk to."""
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._request)

    def violations(self) -> list[str]:
        """What axe finds that is serious or worse, in words."""
        if not AXE.is_file():
            _missing(f"axe-core is not at {AXE}: ./scripts/test fetches it")
        # Not as a script element, which the page's policy would refuse, as it should.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{violation['id']} ({violation['impact']}): {node['html']} {node['failureSummary']}"
            for violation in found["violations"]
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def shoot(self, name: str) -> None:
        """A picture of what is seen, where ``ADDON_SYNC_TEST_PICTURES`` names a folder for them."""
        if folder := os.environ.get("ADDON_SYNC_TEST_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self.home:
            self.complaints.append(f"request to {request.url}")


@contextmanager
def window(
    browser: Browser,
    home: str,
    *,
    size: tuple[int, int] = DESK,
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Window]:
    """A window with no cookies; in the end, nothing may have been complained about."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts
    )
    context.set_default_timeout(20_000)
    try:
        opened = Window(context.new_page(), home)
        yield opened
        assert opened.complaints == []
    finally:
        context.close()


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
