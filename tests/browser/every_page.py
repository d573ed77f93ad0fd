"""Every page there is, by the table of permissions: who gets it, and at which address of the sample.

The rows of `tests/architecture/test_permissions.py` name every URL; what answers with a page is looked
at. A page that needs more than its address is opened by a test of its own (`BY_HAND`).
"""

from collections.abc import Iterator

from tests.architecture.matrix import GET, Row, path_of
from tests.architecture.test_permissions import ROWS
from tests.browser.school import School
from tests.browser.things import things_of

# By role of the table: who that is in the sample.
LOGINS = {
    "anonymous": "",
    "student": "student@school.example",
    "teacher": "teacher@school.example",
    "staff": "staff@school.example",
    "superuser": "admin@school.example",
}
NO_PAGE = {
    "enrollment:home": "leads on, to everybody's own first page",
    "enrollment:my_copy": "a file",
    "enrollment:lesson_file": "a file",
    "calendar:feed": "for programs, a calendar file",
    "calendar:revoke_feed": "a button",
    "enrollment:revoke_token": "a button",
    "enrollment:tick": "a button",
    "drafts:reminders": "a button",
    "drafts:continue": "leads on, to one of the two flows",
    "drafts:save": "for the script, in JSON",
    "live:features": "for the script, in JSON",
    "live:timings": "for the script, which expects no answer",
    "watch:healthz": "for machines",
    "watch:readyz": "for machines",
    "watch:metrics": "for machines",
    "watch:watch_alive": "for machines",
    "admin:rollback_oncallpolicy_changelist": "leads on, to the one row",
    "watch:mail_hook": "for mail providers",
    "watch:close_notice": "a button",
    "watch:status-rss": "for feed readers",
    "watch:status-atom": "for feed readers",
    "watch:status-json": "for programs, in JSON",
    "scheduling:delete_hours": "a button; without it it leads back",
    "scheduling:delete_date": "a button; without it it leads back",
    "scheduling:delete_time_off": "a button; without it it leads back",
    "scheduling:resume": "leads on, to a step",
    "scheduling:take_offer": "a button; without it it leads back",
    "scheduling:leave_waitlist": "a button; without it it leads back",
    "availability-api:slots": "for programs, in JSON",
    "availability-api:teachers": "for programs, in JSON",
    "availability-api:all_slots": "for programs, in JSON",
    "availability-api:reasons": "for programs, in JSON",
    "availability-api:lessons": "for programs, in JSON",
    "availability-api:bookings": "for programs, in JSON",
    "availability-api:booking": "for programs, in JSON",
    "availability-api:move_booking": "for programs, in JSON",
    "availability-api:cancel_booking": "for programs, in JSON",
    "availability-api:rules": "for programs, in JSON",
    "availability-api:rule": "for programs, in JSON",
    "api-schema": "for programs, in YAML",
    "set_language": "a button",
    "account_confirm_login_code": "leads on: we send no codes",
    "account_set_password": "leads on: everybody has a password",
    "admin:login": "leads on, to the school's own login",
    "admin:jsi18n": "a script",
    "admin:search": "part of a page; the test of the office's search opens it",
    "admin:autocomplete": "for the script, in JSON",
    "admin:enrollment_conflict_look_again": "a button",
    "admin:holidays_holidayimport_again": "a button",
    "admin:view_on_site": "leads on; no model of ours uses it",
    "admin:enrollment_user_copy_data": "a file",
    "admin:enrollment_enrollment_plan_lesson": "leads on, to the lesson's form",
    "admin:enrollment_teacher_week": "leads on, to the week",
    "admin:rollback_incident_export": "a file",
    "admin:rollback_incident_words": "part of the incident's page",
    "admin:rollback_flag_audit": "leads on, to the flag's changes",
    "admin:rollback_flag_acknowledge": "a button",
    "admin:rollback_messagetemplate_preview": "drawn in a frame of the letter's page",
    "admin:rollback_rehearsal_picture": "a picture; the rehearsal's page shows it",
}
# Opened by tests of test_accessibility.py, test_accessible_office.py, test_api_page.py and
# test_holiday_import.py.
BY_HAND = {
    "api-docs",
    "scheduling:details",
    "scheduling:confirm",
    "admin:rollback_enrollmentdraft_give_back",
    "admin:rollback_enrollmentdraft_delete_unreadable",
    "admin/(?P<url>.*)$",
    "admin:logout",
    "admin:holidays_holidayimport_preview",
}
# One template for every model, with hardly anything of a model's own.
ALIKE = ("/history/", "/delete/")
LOOKED_AT = 2
LEAD_ON = ("_process_import", "/<path:object_id>/")


def pages(role: str, school: School) -> list[str]:
    """The school's pages for everybody who gets them; the office's for the one who gets them all."""
    things = things_of(school, LOGINS[role])
    found = sorted({path_of(row, things) for row in rows_of(role)})
    for end in ALIKE:
        alike = [path for path in found if path.endswith(end)]
        found = [path for path in found if path not in alike[LOOKED_AT:]]
    # The same form, but for what is filled in.
    changed = {path.rsplit("/", 3)[0] for path in found if path.endswith("/change/")}
    return [path for path in found if path.removesuffix("/add/") not in changed]


def rows_of(role: str) -> Iterator[Row]:
    """A page of allauth's says the same to everybody: the first who gets it looks at it for all."""
    office = role == "superuser"
    before = list(LOGINS)[: list(LOGINS).index(role)]
    for row in ROWS:
        if row.method == GET and row.name not in {*NO_PAGE, *BY_HAND} and row.expected(role) == 200:
            seen = row.name.startswith("account_") and any(
                row.expected(one) == 200 for one in before
            )
            if row.name.startswith("admin:") == office and not seen:
                yield row


def nobodys() -> set[str]:
    """What no test looks at, though somebody gets it, and nothing says why."""
    looked_at = {row.name for role in LOGINS for row in rows_of(role)}
    # Nobody in the school may add an incident or delete a lesson: there is no such page.
    refused = {row.name for row in ROWS if row.method == GET and row.expected("superuser") == 403}
    left = {row.name for row in ROWS} - looked_at - refused - NO_PAGE.keys() - BY_HAND
    return {name for name in left if not name.endswith(LEAD_ON)}
