"""What an admin does to the switchboard, by the admin's own pages."""

from playwright.sync_api import expect

from tests.browser.people import Person

MASTER = "Teacher scheduling"


class Office:
    def __init__(self, admin: Person) -> None:
        self.admin = admin

    def prepare_kill(self) -> None:
        """Everything but the last click."""
        self._open("Kill")
        self.admin.field("Reason").fill("Lessons are booked twice.")

    def confirm_kill(self) -> None:
        self.admin.button(f"Kill {MASTER}").click()

    def kill(self) -> None:
        self.prepare_kill()
        self.confirm_kill()
        self._done("kill")

    def restore(self) -> None:
        self._open("Restore")
        self.admin.field("Reason").fill("Found and mended.")
        self.admin.button(f"Restore {MASTER}").click()
        self._done("restore")

    def set_share(self, percent: int) -> None:
        self._open("Set share")
        self.admin.field("Share in %").fill(str(percent))
        self.admin.field("Reason").fill("Half of them are enough.")
        self.admin.button(f"Set the share of {MASTER}").click()
        self._done("set share")

    def switch_everything_off(self) -> None:
        self._open_flags()
        self._follow("Switch everything off")
        self.admin.field("Type “everything”").fill("everything")
        self.admin.field("Reason").fill("Nothing works.")
        self.admin.button("Switch every feature off").click()
        self._done("kill")

    def _open(self, action: str) -> None:
        self._open_flags()
        self._follow(MASTER)
        self._follow(action)

    def _open_flags(self) -> None:
        self.admin.go("/admin/")
        self.admin.link("Feature flags").first.click()

    def _follow(self, words: str) -> None:
        """Not by the exact name: unfold writes the icon's into it."""
        self.admin.page.get_by_role("link", name=words).first.click()

    def _done(self, action: str) -> None:
        expect(self.admin.page.get_by_text(f"{MASTER}: {action} done.")).to_be_visible()
