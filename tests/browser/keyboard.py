"""Going about with the keyboard alone, and seeing at each stop where one is."""

from tests.browser.people import Person

MOST_TABS = 120
FOCUSED = "selector => document.activeElement.matches(selector)"
# On the part itself, or on what stands for it: a slot's label, a card around its link.
IN_SIGHT = """() => {
  const part = document.activeElement;
  if (part === document.body) return "nothing has the focus";
  const looks = [[part], [part, "::after"], part.nextElementSibling && [part.nextElementSibling]];
  const outlined = looks.filter(Boolean).map(of => getComputedStyle(...of)).some(
    style => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  const { top, bottom } = part.getBoundingClientRect();
  const there = bottom > 0 && top < innerHeight;
  return outlined && there ? "" : `${part.outerHTML.slice(0, 120)} has the focus, and it is not seen`;
}"""


def tab_to(person: Person, selector: str, *, back: bool = False) -> None:
    """From where the focus is, as far as it takes; it is seen at every stop, and never lost."""
    for _press in range(MOST_TABS):
        person.page.keyboard.press("Shift+Tab" if back else "Tab")
        if wrong := person.page.evaluate(IN_SIGHT):
            raise AssertionError(f"{wrong}, on the way to {selector}")
        if person.page.evaluate(FOCUSED, selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {MOST_TABS} tabs")


def press(person: Person, key: str) -> None:
    person.page.keyboard.press(key)
