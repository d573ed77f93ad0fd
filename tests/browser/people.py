"""Somebody at a browser of their own: pages, cookies, and an eye on everything that goes wrong."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

from config.local.sample import PASSWORD

# The browser tells a page that a script or style was refused; the console's words may change.
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", event => console.error(
  "content security policy: " + event.violatedDirective + " " + event.blockedURI));
"""
SERVER_ERROR = 500


class Person:
    """One browser context. What goes wrong on any of its pages is gathered in `trouble`."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.trouble: list[str] = []
        # A zone that is nobody's in the sample: whoever shows a browser's own time is found out.
        wanted = {"base_url": url, "timezone_id": "Pacific/Chatham"} | options
        self.context: BrowserContext = browser.new_context(**wanted)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.trouble.append(f"script: {error.error}"))
        self.context.on("response", self._on_response)
        self.context.on("requestfailed", self._on_request_failed)
        if options.get("java_script_enabled", True):
            self.context.add_init_script(REPORT_VIOLATIONS)
        self.page: Page = self.context.new_page()

    def go(self, path: str) -> Response:
        response = self.page.goto(path)
        assert response is not None, path
        return response

    def log_in(self, email: str) -> None:
        self.go("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.button("Log in", within="main").click()
        expect(self.page).not_to_have_url(re.compile("/login/"))

    def link(self, name: str, within: str = "body") -> Locator:
        return self.page.locator(within).get_by_role("link", name=name, exact=True)

    def button(self, name: str, within: str = "body") -> Locator:
        return self.page.locator(within).get_by_role("button", name=name, exact=True)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label)

    def path(self) -> str:
        return self.page.url.removeprefix(self.url)

    def forgive(self, *, because: str) -> None:
        """What went wrong so far was the test's own doing."""
        assert self.trouble, f"nothing went wrong, though {because}"
        self.trouble.clear()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.trouble.append(f"console: {message.text} ({message.location.get('url')})")

    def _on_response(self, response: Response) -> None:
        if response.status >= SERVER_ERROR:
            self.trouble.append(f"{response.status}: {response.request.method} {response.url}")

    def _on_request_failed(self, request: Request) -> None:
        """Whoever goes elsewhere before a page is there has aborted it; nothing failed then."""
        if request.failure != "net::ERR_ABORTED":
            self.trouble.append(f"{request.failure}: {request.method} {request.url}")


# `visit("student@school.example", viewport=…)`: a person who is logged in; "" is nobody.
Visit = Callable[..., Person]
