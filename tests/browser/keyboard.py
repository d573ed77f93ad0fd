"""Going about with the keyboard alone."""

from tests.browser.people import Person

MOST_TABS = 120
FOCUSED = "document.activeElement.matches({selector!r})"


def tab_to(person: Person, selector: str) -> None:
    """From where the focus is, forwards, as far as it takes."""
    for _press in range(MOST_TABS):
        person.page.keyboard.press("Tab")
        if person.page.evaluate(FOCUSED.format(selector=selector)):
            return
    raise AssertionError(f"{selector} cannot be reached by {MOST_TABS} tabs")
