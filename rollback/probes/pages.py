"""The pages people need, asked in process: the original flow, every role's pages, and how long they take."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from rollback.domain.verification import Found, ProbeFailed, percentiles, slowest_allowed
from rollback.models import Baseline
from rollback.probes.in_process import Browser, Handler, path_of
from rollback.probes.plan import Role, plan

LATENCY = "latency:"
WARM_UP, REQUESTS = 1, 7


def flow() -> Found:
    """:raises ProbeFailed:"""
    steps = plan().walk(Browser(Handler()))
    return Found(words=" → ".join(steps), facts={"steps": len(steps)})


def roles() -> Found:
    """Every page of every role; all that is wrong is said, not only the first. :raises ProbeFailed:"""
    handler = Handler()
    wrong: list[str] = []
    asked: dict[str, list[str]] = {}
    for role in plan().roles:
        browser = Browser(handler, role.person())
        asked[role.name] = [*role.further, *role.pages]
        for name in asked[role.name]:
            said = _what_is_wrong(browser, name, role)
            wrong += [f"{role.title}: {said}"] if said else []
    if wrong:
        raise ProbeFailed(" ".join(wrong), asked=asked, wrong=len(wrong))
    words = _("%(pages)s pages of %(roles)s roles answer.")
    counts = {"pages": sum(map(len, asked.values())), "roles": len(asked)}
    return Found(words=words % counts, facts={"asked": asked})


def _what_is_wrong(browser: Browser, name: str, role: Role) -> str:
    try:
        browser.page(path_of(name), may_lead_on=name in role.further)
    except ProbeFailed as failed:
        return str(failed)
    return ""


def latency() -> Found:
    """The median of each page against its baseline's. :raises ProbeFailed:"""
    times = measured(requests=REQUESTS)
    known = {
        one.name: one.facts["p50"]
        for one in Baseline.objects.filter(name__in=[LATENCY + name for name in times])
    }
    facts: dict[str, Any] = {}
    slow, compared = [], True
    for name, found in times.items():
        before = known.get(LATENCY + name)
        allowed = slowest_allowed(before)
        facts[name] = {**found, "baseline": before, "allowed": allowed}
        compared &= before is not None
        if found["p50"] > allowed:
            slow.append(_in_words(name, facts[name]))
    if slow:
        raise ProbeFailed(_("Too slow: %(pages)s.") % {"pages": "; ".join(slow)}, **facts)
    said = "; ".join(_in_words(name, one) for name, one in facts.items())
    if not compared:
        words = _(
            "There is no baseline yet, so no more was asked than %(allowed)s ms: %(pages)s. Take one "
            "with manage.py rollback baseline while all is well."
        )
        said = words % {"allowed": slowest_allowed(None), "pages": said}
    return Found(words=said, facts=facts, is_compared=compared)


def _in_words(name: str, one: Mapping[str, Any]) -> str:
    facts = {"page": name, "now": one["p50"], "before": one["baseline"]}
    if one["baseline"] is None:
        return _("%(page)s %(now)s ms") % facts
    return _("%(page)s %(now)s ms (before: %(before)s ms)") % facts


def measured(*, requests: int) -> dict[str, dict[str, float]]:
    """By page of the original flow: p50 and p95 of so many requests, after one to warm up.

    :raises ProbeFailed: one of them gives no page
    """
    person, paths = plan().flow_pages()
    browser = Browser(Handler(), person)
    times = {}
    for name, path in paths.items():
        took = [browser.page(path).milliseconds for _request in range(WARM_UP + requests)]
        times[name] = percentiles(took[WARM_UP:])
    return times
