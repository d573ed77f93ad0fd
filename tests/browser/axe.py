"""What axe says about a page: every rule of WCAG 2.0 to 2.2, A and AA, and axe's best practices."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ViewportSize, expect

from tests.browser.people import Person

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# All that a change of colors alone can break.
OF_COLOR = ("color-contrast", "link-in-text-block")
SIZES = {
    "desktop": ViewportSize(width=1280, height=900),
    "phone": ViewportSize(width=390, height=844),
    "small phone": ViewportSize(width=320, height=640),
}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The office keeps its choice of a scheme in the browser; by itself it takes the system's on loading.
OFFICE_SCHEME = "dark => document.documentElement.classList.toggle('dark', dark)"
# The office's scripts have found their fields, and ours has mended what they made of them.
OFFICE_READY = """() => document.querySelector("[role=main], main") && !document.querySelector(
  "select.admin-autocomplete:not(.select2-hidden-accessible, [name*=__prefix__])"
) && new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"""
# What differs in nothing but its words, and stands in boxes that are alike, is looked at three times: of
# the rows of a list and the choices of a field on each page, of all other boxes on the pages of a whole
# run. The rest is put aside meanwhile: axe takes longer than a page does, and finds the same again. What
# stays: a box with the page's own heading in it, for the rules about the whole of a page, what a part
# outside of it is named by, and what stands in something that is named by what is in it.
TIMES = 3
PUT_ASIDE = """([times, told, takeOut]) => {
  const looked = JSON.parse(told);
  const said = new RegExp("^(id|for|name|href|src|action|value|title|datetime|data-.*"
    + "|aria-(label.*|described.*|controls))$");
  const own = (one) => [
    one.tagName,
    ...[...one.attributes].map(({name, value}) => said.test(name) ? name + !value : name + value).sort(),
  ].join(" ");
  const hash = (text) => {
    let [a, b] = [1, 2];
    for (let i = 0; i < text.length; i++) {
      a = Math.imul(a ^ text.charCodeAt(i), 2654435761);
      b = Math.imul(b ^ text.charCodeAt(i), 1597334677);
    }
    return (a >>> 0).toString(36) + (b >>> 0).toString(36);
  };
  const shapes = new Map();
  const shape = (one) => {
    if (!shapes.has(one)) shapes.set(one, hash([
      own(one),
      one.matches(":checked"),
      [...one.childNodes].some(({nodeType, data}) => nodeType === Node.TEXT_NODE && data.trim()),
      ...[...one.children].map(shape),
    ].join(" ")));
    return shapes.get(one);
  };
  const named = new Map();
  for (const name of ["for", "headers", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns"])
    for (const one of document.querySelectorAll(`[${name}]`))
      for (const id of one.getAttribute(name).split(/\\s+/))
        named.set(id, [...(named.get(id) || []), one]);
  for (const one of document.querySelectorAll("a[href^='#']"))
    named.set(one.hash.slice(1), [...(named.get(one.hash.slice(1)) || []), one]);
  const standsAlone = (box) => !box.querySelector("iframe")
    && [box, ...box.querySelectorAll("[id]")].every(
      ({id}) => !id || (named.get(id) || []).every((one) => box.contains(one)))
    && [...box.querySelectorAll("label[for]")].every(
      ({htmlFor}) => !document.getElementById(htmlFor) || box.contains(document.getElementById(htmlFor)));
  const mayGo = (one) => !one.matches(":focus-within") && standsAlone(one);
  const lists = "table, tbody, ul, ol, select, optgroup";
  const boxes = "div, section, article, fieldset, form, nav, aside, header, footer, details, "
    + "table, ul, ol, p";
  const whole = "h1, main, [role=main]";
  const namedByContent = "a, button, label, summary, legend, caption, th, h1, h2, h3, h4, h5, h6";
  const [aside, seen] = [[], {}];
  const walk = (parent, around) => {
    if (parent.matches(namedByContent)) return;
    const rows = {};
    for (const one of parent.children) {
      const kind = shape(one);
      if (parent.matches(lists)) {
        rows[kind] = (rows[kind] || 0) + 1;
        if (rows[kind] > times && mayGo(one)) { aside.push(one); continue; }
      } else if (one.matches(boxes) && one.childElementCount && !one.querySelector(whole)) {
        const here = hash(around + kind);
        if ((looked[here] || 0) + (seen[here] || 0) >= times && mayGo(one)) { aside.push(one); continue; }
        seen[here] = (seen[here] || 0) + 1;
      }
      walk(one, hash(around + own(one)));
    }
  };
  walk(document.body, own(document.documentElement) + own(document.body));
  const putAside = (one) => {
    if (takeOut) {
      const place = document.createComment("");
      one.replaceWith(place);
      return () => place.replaceWith(one);
    }
    const before = one.style.display;
    one.style.setProperty("display", "none", "important");
    return () => { one.style.display = before; };
  };
  window.putBack = aside.map(putAside);
  return JSON.stringify(seen);
}"""
# Over the whole page, before anything is put aside: two boxes that are alike must not share a name.
NAMED_TWICE = """() => {
  const [names, count] = [["for", "headers", "aria-labelledby", "aria-describedby", "aria-controls"], {}];
  for (const {id} of document.querySelectorAll("[id]")) count[id] = (count[id] || 0) + 1;
  const named = names.flatMap((name) => [...document.querySelectorAll(`[${name}]`)].flatMap(
    (one) => one.getAttribute(name).split(" ")));
  return [...new Set(named)].filter((id) => count[id] > 1);
}"""
# As axe's own rule, over the whole page as well: what is put aside may have had the heading above another.
ORDER = "heading-order"
STEPS = """() => {
  const level = (one) => Number(one.getAttribute("aria-level") || one.tagName[1]);
  const shown = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6, [role=heading]")].filter(
    (one) => one.checkVisibility() && !one.closest("[aria-hidden=true]"));
  return shown.filter((one, i) => i && level(one) - level(shown[i - 1]) > 1)
    .map((one) => one.outerHTML.slice(0, 160));
}"""
PUT_BACK = "() => { for (const one of window.putBack) one(); }"
# How often a box was looked at in this run, by its shape.
_looked: Counter[str] = Counter()
# A color that is on its way from light to dark has a contrast of its own.
CALM = {"reduced_motion": "reduce", "viewport": SIZES["desktop"]}


def problems(person: Person, path: str) -> list[str]:
    """Of an address; opened anew, so that nothing is open or focused."""
    answer = person.go(path)
    if answer.status in (403, 404):
        person.forgive(because="the browser writes a page that is not there to its console")
    return problems_here(person, just_opened=True)


def send_empty(person: Person, form: str) -> None:
    """Past the browser's own check of what is required; every required field must say so."""
    person.page.locator(form).last.evaluate("form => { form.noValidate = true }")
    with person.page.expect_navigation():
        person.page.locator(form).last.evaluate("form => form.requestSubmit()")
    expect(person.page.locator("[aria-invalid=true]").first).to_be_visible()
    if person.trouble:
        person.forgive(because="the browser writes a form that comes back with 422 to its console")


def problems_here(person: Person, *, just_opened: bool = False) -> list[str]:
    """Of what is open now: the widths, all rules in the light, those of color in the dark.

    just_opened: what is put aside may be taken out of the page, which is quicker, and begins anew when it is
    back.
    """
    where = person.path()
    if where.startswith("/admin/"):
        person.page.wait_for_function(OFFICE_READY)
    found = [f"{where} is {too_wide}" for too_wide in _too_wide(person)]
    twice = person.page.evaluate(NAMED_TWICE)
    found += [f"{where}: something is named by #{one}, which is there twice" for one in twice]
    found += [f"{where}: {ORDER}: {heading}" for heading in person.page.evaluate(STEPS)]
    # As text: value by value, thousands take Playwright longer than all the rest.
    told = json.dumps(_looked)
    _looked.update(json.loads(person.page.evaluate(PUT_ASIDE, [TIMES, told, just_opened])))
    found += [f"{where}: {one}" for one in _violations(person, "tag", RULES)]
    _scheme(person, "dark")
    found += [f"{where} in the dark: {one}" for one in _violations(person, "rule", OF_COLOR)]
    _scheme(person, "light")
    person.page.evaluate(PUT_BACK)
    return found


def _too_wide(person: Person) -> Iterator[str]:
    before = person.page.viewport_size or SIZES["desktop"]
    for name, size in SIZES.items():
        person.page.set_viewport_size(size)
        if pixels := person.page.evaluate(OVERFLOW):
            yield f"{pixels} px too wide for a {name}"
    person.page.set_viewport_size(before)


def _scheme(person: Person, scheme: Literal["light", "dark"]) -> None:
    person.page.emulate_media(color_scheme=scheme)
    if person.path().startswith("/admin/"):
        person.page.evaluate(OFFICE_SCHEME, scheme == "dark")


def _violations(person: Person, kind: str, values: tuple[str, ...]) -> list[str]:
    """Twice on the same page it is still there, and half a megabyte need not be read again."""
    if not person.page.evaluate("() => 'axe' in window"):
        person.page.evaluate(AXE_SCRIPT)
    only = {"type": kind, "values": list(values)}
    options = {"runOnly": only, "resultTypes": ["violations"], "rules": {ORDER: {"enabled": False}}}
    answer: Any = person.page.evaluate("options => axe.run(options)", options)
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node['failureSummary']}"
        for violation in answer["violations"]
        for node in violation["nodes"][:3]
    ]
