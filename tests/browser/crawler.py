"""Following every link of a person, each kind of page a few times."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

from tests.browser.people import Person

MOST_PER_PATTERN = 2
# The admin's lists can be sorted and filtered in thousands of ways.
MOST_PER_ROUTE = 3
# And there each page of a route is made by the same few lines.
MOST_PER_ROUTE_OF_THE_OFFICE = 2
# These change something, though they are links in Django's admin.
LEFT_OUT = ("/accounts/logout/", "/admin/logout/")


@dataclass(kw_only=True)
class Findings:
    """wrong: a sentence for each. pages: one address of each route that answers with a page."""

    wrong: list[str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    seen: int = 0


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("a", "link") and (target := named.get("href")):
            self.found.append(target)
        if tag in ("script", "img", "iframe") and (source := named.get("src")):
            self.found.append(source)


def crawl(person: Person, starts: list[str]) -> Findings:
    """Breadth first. Redirects are followed by hand, so that each address counts for itself."""
    findings, taken = Findings(), Counter[str]()
    known = set(starts)
    waiting = deque((start, "the start") for start in starts)
    while waiting:
        path, source = waiting.popleft()
        route, pattern = route_of(path), pattern_of(path)
        if not route:
            findings.wrong.append(f"no such address: {path}, linked from {source}")
        if taken[pattern] >= MOST_PER_PATTERN or taken[route] >= most_of(route):
            continue
        taken.update({pattern, route})
        findings.seen += 1
        for link in _visit(person, path, source, findings):
            if link not in known:
                known.add(link)
                waiting.append((link, path))
    return findings


def most_of(route: str) -> int:
    return MOST_PER_ROUTE_OF_THE_OFFICE if route.startswith("/admin/") else MOST_PER_ROUTE


def route_of(path: str) -> str:
    """As in the URL configuration; "" is none."""
    plain = urlsplit(path).path
    if plain.startswith("/static/"):
        return f"{plain} "
    try:
        return f"/{resolve(plain).route}"
    except Resolver404:
        return ""


def pattern_of(path: str) -> str:
    """The route, and which questions stand behind it."""
    names = {question.partition("=")[0] for question in urlsplit(path).query.split("&")}
    return f"{route_of(path)}?{'&'.join(sorted(names))}"


def _visit(person: Person, path: str, source: str, findings: Findings) -> Iterator[str]:
    answer = person.context.request.get(path, max_redirects=0)
    if answer.status >= 400:
        findings.wrong.append(f"{answer.status}: {path}, linked from {source}")
    elif answer.status >= 300:
        yield from _ours(person, path, [answer.headers["location"]])
    elif answer.headers.get("content-type", "").startswith("text/html"):
        findings.pages.setdefault(route_of(path), path)
        links = _Links()
        links.feed(answer.text())
        yield from _ours(person, path, links.found)


def _ours(person: Person, path: str, links: list[str]) -> Iterator[str]:
    for link in links:
        target = urljoin(person.url + path, link).partition("#")[0]
        if not target.startswith(person.url + "/"):
            continue
        inside = target.removeprefix(person.url)
        if not inside.startswith(LEFT_OUT):
            yield inside
