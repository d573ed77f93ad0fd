"""Who may do what, readable at a glance: every URL and method, and what each role gets there.

The things in the URLs belong to `student` and `teacher`; all features are on. A new page is missing
in the table until somebody has decided who may see it: the second test names it.
"""

import re
from collections import Counter
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from tests.architecture.matrix import (
    API,
    DELETE,
    GET,
    JSON,
    PATCH,
    POST,
    PUT,
    ROLES,
    ROUTES,
    Answer,
    Asking,
    Row,
    School,
    answered,
    build,
    data_of,
    path_of,
    routes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

LOGIN = "/accounts/login/"
ADMIN_LOGIN = "/admin/login/"
HOME = "/home/"
OFFICE = "/admin/"
CHOOSE = "/calendar/choose/course-2/"
WAITLIST = "/schedule/my/waitlist/"
LETTER = {"letter": "enrollment", "language": "de"}
SERIES = "?teacher={teacher}&slot=2031-03-10T15:00:00Z&every=1&count=3"
TOLD = {f"{part}_{code}": "x" for part in ("heading", "text") for code in ("en", "de", "es")}

# fmt: off
PAGES = [
    # ------------------------------------------------------------ the ground floor
    Row("enrollment:catalog", GET, anonymous=200, student=200),
    Row("enrollment:course", GET, anonymous=200, student=200),
    Row("enrollment:home", GET, anonymous=LOGIN, student="/my/courses/", teacher="/my/lessons/", staff=OFFICE),
    Row("enrollment:enroll", GET, anonymous=LOGIN, student=200, teacher=403, staff=403),
    Row("enrollment:enroll", POST, anonymous=LOGIN, student="/enrollments/", teacher=403, staff=403, data={"note": "x"}),
    Row("enrollment:enrolled", GET, anonymous=LOGIN, student=200, other_student=404, teacher=404, staff=404),
    Row("enrollment:lesson_file", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404),
    Row("enrollment:my_courses", GET, anonymous=LOGIN, student=200, teacher=HOME, staff=HOME),
    Row("enrollment:my_lessons", GET, anonymous=LOGIN, student=HOME, teacher=200, staff=HOME),
    Row("enrollment:my_data", GET, anonymous=LOGIN, student=200),
    Row("enrollment:my_copy", GET, anonymous=LOGIN, student=200),
    Row("enrollment:delete_me", GET, anonymous=LOGIN, student=200),
    # 409: somebody counts on this teacher; the office asks an admin.
    Row("enrollment:delete_me", POST, anonymous=LOGIN, student=422, teacher=409, other_teacher=422, staff=409),
    Row("enrollment:tokens", GET, anonymous=LOGIN, student=200),
    Row("enrollment:tokens", POST, anonymous=LOGIN, student=422),
    Row("enrollment:revoke_token", POST, anonymous=LOGIN, student="/my/tokens/", other_student=404, teacher=404, staff=404),
    Row("enrollment:revoke_token", GET, anonymous=LOGIN, student=405),
    Row("enrollment:my_students", GET, anonymous=LOGIN, student=HOME, teacher=200, staff=HOME),
    Row("enrollment:progress", GET, anonymous=LOGIN, student=404, teacher=200, other_teacher=404, staff=404),
    Row("enrollment:tick", POST, anonymous=LOGIN, student=404, teacher="/my/students/", other_teacher=404, staff=404, data={"done": "yes"}),
    Row("enrollment:inbox", GET, anonymous=LOGIN, student=200),
    Row("enrollment:thread", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404),
    Row("enrollment:thread", POST, anonymous=LOGIN, student="/messages/", other_student=404, teacher="/messages/", other_teacher=404, staff=404, data={"body": "x"}),
    # ------------------------------------------------------------ drafts
    Row("drafts:unfinished", GET, anonymous=LOGIN, student=200, teacher=HOME, staff=HOME),
    Row("drafts:reminders", POST, anonymous=LOGIN, student="/drafts/", teacher=HOME, staff=HOME),
    Row("drafts:no_reminders", GET, anonymous=200, student=200),
    Row("drafts:no_reminders", POST, anonymous=200, student=200),
    Row("drafts:continue", GET, anonymous=LOGIN, student="/schedule/course-2/continue/"),
    Row("drafts:delete", GET, anonymous=LOGIN, student=200, other_student=404, teacher=HOME, staff=HOME),
    Row("drafts:delete", POST, anonymous=LOGIN, student="/drafts/", other_student=404, teacher=HOME, staff=HOME),
    Row("drafts:save", GET, anonymous=405, student=405),
    Row("drafts:save", POST, anonymous=401, student=200, teacher=401, staff=401, data={"note": "x"}),
    # ------------------------------------------------------------ which mails somebody wants
    Row("watch:mails", GET, anonymous=LOGIN, student=200, teacher=200, staff=200),
    Row("watch:mails", POST, anonymous=LOGIN, student="/mails/", teacher="/mails/", staff="/mails/", data={"news": "no"}),
    Row("watch:no_news", GET, anonymous=200, student=200),
    Row("watch:no_news", POST, anonymous=200, student=200),
    # ------------------------------------------------------------ what open pages ask and tell
    Row("live:features", GET, anonymous=200, student=200),
    Row("live:timings", POST, anonymous=204, student=204, data={"feature": "calendar", "ms": "120"}),
    # ------------------------------------------------------------ what machines ask
    Row("watch:healthz", GET, anonymous=200, student=200),
    Row("watch:healthz", POST, anonymous=405, student=405),
    Row("watch:readyz", GET, anonymous=200, student=200),
    Row("watch:readyz", POST, anonymous=405, student=405),
    # Nobody is named who may read them.
    Row("watch:metrics", GET, anonymous=404, student=404),
    Row("watch:metrics", POST, anonymous=405, student=405),
    # There is no heartbeat.
    Row("watch:watch_alive", GET, anonymous=503, student=503),
    Row("watch:watch_alive", POST, anonymous=405, student=405),
    # ------------------------------------------------------------ whoever is called; the link is the key
    Row("oncall:acknowledge", GET, anonymous=200, student=200),
    Row("oncall:acknowledge", GET, anonymous=404, student=404, things={"call": "1-1.forged"}),
    Row("oncall:acknowledge", POST, anonymous="/on-call/acknowledge/", student="/on-call/acknowledge/"),
    # ------------------------------------------------------------ reports of problems
    Row("watch:report", GET, anonymous=200, student=200),
    Row("watch:report", POST, anonymous=422, student=422),
    Row("watch:report", POST, anonymous="/report/thanks/", student="/report/thanks/", data={"kind": "slow", "text": "x"}),
    # What somebody has closed stands in a cookie.
    Row("watch:close_notice", GET, anonymous=405, student=405),
    Row("watch:close_notice", POST, anonymous="/", student="/", data={"notice": "i1-1"}),
    Row("watch:thanks", GET, anonymous=200, student=200),
    # ------------------------------------------------------------ what mail servers tell
    # Nothing is named that they sign with.
    Row("watch:mail_hook", GET, anonymous=405, student=405),
    Row("watch:mail_hook", POST, anonymous=404, student=404),
    Row("watch:status", GET, anonymous=200, student=200),
    Row("watch:status", POST, anonymous=405, student=405),
    Row("watch:status-rss", GET, anonymous=200, student=200),
    Row("watch:status-atom", GET, anonymous=200, student=200),
    Row("watch:status-json", GET, anonymous=200, student=200),
    # ------------------------------------------------------------ scheduling
    Row("scheduling:resume", GET, anonymous=LOGIN, student=CHOOSE, teacher=403, staff=403),
    Row("calendar:choose", GET, anonymous=LOGIN, student=200, teacher=403, staff=403),
    Row("calendar:choose", POST, anonymous=LOGIN, student=422, teacher=403, staff=403),
    Row("scheduling:details", GET, anonymous=LOGIN, student=CHOOSE, teacher=403, staff=403),
    Row("scheduling:details", POST, anonymous=LOGIN, student=CHOOSE, teacher=403, staff=403),
    Row("scheduling:confirm", GET, anonymous=LOGIN, student=CHOOSE, teacher=403, staff=403),
    Row("scheduling:confirm", POST, anonymous=LOGIN, student=CHOOSE, teacher=403, staff=403),
    Row("scheduling:hours", GET, anonymous=LOGIN, student=403, teacher=200, staff=403),
    Row("scheduling:hours", POST, anonymous=LOGIN, student=403, teacher=422, staff=403, data={"weekday": "9"}),
    Row("scheduling:delete_hours", GET, anonymous=LOGIN, student=403, teacher="/schedule/my/hours/", staff=403),
    Row("scheduling:delete_hours", POST, anonymous=LOGIN, student=403, teacher="/schedule/my/hours/", other_teacher=404, staff=403),
    Row("scheduling:change_hours", GET, anonymous=LOGIN, student=403, teacher=200, other_teacher=404, staff=403),
    Row("scheduling:change_hours", POST, anonymous=LOGIN, student=403, teacher=422, other_teacher=404, staff=403, data={"weekday": "9"}),
    Row("scheduling:week", GET, anonymous=LOGIN, student=403, teacher=200, staff=403),
    Row("scheduling:lessons", GET, anonymous=LOGIN, student=403, teacher=200, staff=403),
    Row("scheduling:dates", GET, anonymous=LOGIN, student=403, teacher=200, staff=403),
    Row("scheduling:dates", POST, anonymous=LOGIN, student=403, teacher=422, staff=403, data={"day_on": "x"}),
    Row("scheduling:change_date", GET, anonymous=LOGIN, student=403, teacher=200, other_teacher=404, staff=403),
    Row("scheduling:change_date", POST, anonymous=LOGIN, student=403, teacher=422, other_teacher=404, staff=403, data={"day_on": "x"}),
    Row("scheduling:delete_date", GET, anonymous=LOGIN, student=403, teacher="/schedule/my/dates/", staff=403),
    Row("scheduling:delete_date", POST, anonymous=LOGIN, student=403, teacher="/schedule/my/dates/", other_teacher=404, staff=403),
    Row("scheduling:time_off", GET, anonymous=LOGIN, student=403, teacher=200, staff=403),
    Row("scheduling:time_off", POST, anonymous=LOGIN, student=403, teacher=422, staff=403, data={"from_on": "x"}),
    Row("scheduling:change_time_off", GET, anonymous=LOGIN, student=403, teacher=200, other_teacher=404, staff=403),
    Row("scheduling:change_time_off", POST, anonymous=LOGIN, student=403, teacher=422, other_teacher=404, staff=403, data={"from_on": "x"}),
    Row("scheduling:delete_time_off", GET, anonymous=LOGIN, student=403, teacher="/schedule/my/time-off/", staff=403),
    Row("scheduling:delete_time_off", POST, anonymous=LOGIN, student=403, teacher="/schedule/my/time-off/", other_teacher=404, staff=403),
    Row("scheduling:waitlist", GET, anonymous=LOGIN, student=200, teacher=403, staff=403),
    Row("scheduling:take_offer", GET, anonymous=LOGIN, student=WAITLIST, other_student=404, teacher=403, staff=403),
    Row("scheduling:take_offer", POST, anonymous=LOGIN, student=WAITLIST, other_student=404, teacher=403, staff=403),
    Row("scheduling:leave_waitlist", GET, anonymous=LOGIN, student=WAITLIST, other_student=404, teacher=403, staff=403),
    Row("scheduling:leave_waitlist", POST, anonymous=LOGIN, student=WAITLIST, other_student=404, teacher=403, staff=403),
    Row("scheduling:wait", GET, anonymous=LOGIN, student=200, teacher=403, staff=403),
    # 409: there is a place, so there is nothing to wait for.
    Row("scheduling:wait", POST, anonymous=LOGIN, student=409, teacher=403, staff=403),
    Row("scheduling:book", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404),
    Row("scheduling:book", POST, anonymous=LOGIN, student=422, other_student=404, teacher=422, other_teacher=404, staff=404),
    Row("scheduling:series", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404, query=SERIES),
    Row("scheduling:series", POST, anonymous=LOGIN, student="/schedule/enrollments/", other_student=404, teacher="/schedule/enrollments/", other_teacher=404, staff=404),
    Row("scheduling:move_lesson", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404),
    Row("scheduling:move_lesson", POST, anonymous=LOGIN, student=422, other_student=404, teacher=422, other_teacher=404, staff=404),
    Row("scheduling:cancel_lesson", GET, anonymous=LOGIN, student=200, other_student=404, teacher=200, other_teacher=404, staff=404),
    Row("scheduling:cancel_lesson", POST, anonymous=LOGIN, student="/enrollments/", other_student=404, teacher=HOME, other_teacher=404, staff=404),
    Row("calendar:month", GET, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:other_month", GET, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:week", GET, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:other_week", GET, anonymous=LOGIN, student=200, staff=HOME, things={"on": "2026-12-07"}),
    Row("calendar:list", GET, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:list_from", GET, anonymous=LOGIN, student=200, staff=HOME, things={"on": "2026-12-07"}),
    Row("calendar:subscribe", GET, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:subscribe", POST, anonymous=LOGIN, student=200, staff=HOME),
    Row("calendar:revoke_feed", POST, anonymous=LOGIN, student="/calendar/subscribe/", other_student=404, teacher=404, staff=404),
    Row("calendar:revoke_feed", GET, anonymous=405, student=405),
    # Its address is the key, whoever opens it; here it is the student's.
    Row("calendar:feed", GET, anonymous=200, student=200, things={"token": "{feed_token}"}),
    Row("calendar:feed", GET, anonymous=404, student=404),
    Row("calendar:feed", POST, anonymous=405, student=405, things={"token": "{feed_token}"}),
    Row("holidays:list", GET, anonymous=LOGIN, student=200),
    # ------------------------------------------------------------ the API
    Row("availability-api:slots", GET, anonymous=401, student=200, query="?course={course}"),
    Row("availability-api:slots", POST, anonymous=401, student=405),
    Row("availability-api:teachers", GET, anonymous=401, student=200),
    Row("availability-api:all_slots", GET, anonymous=401, student=200, query="?course={course}"),
    Row("availability-api:reasons", GET, anonymous=401, student=200, query="?course={course}&teacher={teacher}"),
    Row("availability-api:lessons", GET, anonymous=401, student=200),
    # What is wrong with it is said to whoever may book.
    Row("availability-api:bookings", POST, anonymous=401, student=400, teacher=403, staff=403),
    Row("availability-api:booking", GET, anonymous=401, student=200, other_student=404, teacher=200, other_teacher=404, staff=200),
    Row("availability-api:booking", DELETE, anonymous=401, student=204, other_student=404, teacher=204, other_teacher=404, staff=204),
    Row("availability-api:move_booking", POST, anonymous=401, student=400, other_student=404, teacher=400, other_teacher=404, staff=400),
    Row("availability-api:cancel_booking", POST, anonymous=401, student=200, other_student=404, teacher=200, other_teacher=404, staff=200),
    Row("availability-api:rules", GET, anonymous=401, student=403, teacher=200, staff=403),
    Row("availability-api:rules", POST, anonymous=401, student=403, teacher=400, staff=403),
    Row("availability-api:rule", GET, anonymous=401, student=403, teacher=200, other_teacher=404, staff=403),
    Row("availability-api:rule", PUT, anonymous=401, student=403, teacher=400, other_teacher=404, staff=403),
    Row("availability-api:rule", PATCH, anonymous=401, student=403, teacher=200, other_teacher=404, staff=403),
    Row("availability-api:rule", DELETE, anonymous=401, student=403, teacher=204, other_teacher=404, staff=403),
    Row("api-schema", GET, anonymous=401, student=200),
    Row("api-docs", GET, anonymous=LOGIN, student=200),
    # ------------------------------------------------------------ accounts: allauth's, and the language
    Row("account_login", GET, anonymous=200, student=HOME),
    Row("account_login", POST, anonymous=200, student=HOME),
    Row("account_signup", GET, anonymous=200, student=HOME),
    Row("account_signup", POST, anonymous=200, student=HOME),
    Row("account_logout", GET, anonymous="/", student=200),
    Row("account_logout", POST, anonymous="/", student="/"),
    Row("account_inactive", GET, anonymous=200, student=200),
    Row("account_reauthenticate", GET, anonymous=LOGIN, student=200),
    Row("account_reauthenticate", POST, anonymous=LOGIN, student=200),
    Row("account_email", GET, anonymous=LOGIN, student=200),
    Row("account_email", POST, anonymous=LOGIN, student="/accounts/email/"),
    Row("account_email_verification_sent", GET, anonymous=200, student=200),
    Row("account_confirm_email", GET, anonymous=200, student=200),
    Row("account_confirm_email", POST, anonymous=404, student=404),
    Row("account_change_password", GET, anonymous=LOGIN, student=200),
    Row("account_change_password", POST, anonymous=LOGIN, student=200),
    Row("account_set_password", GET, anonymous=LOGIN, student="/accounts/password/change/"),
    Row("account_set_password", POST, anonymous=LOGIN, student="/accounts/password/change/"),
    Row("account_reset_password", GET, anonymous=200, student=200),
    Row("account_reset_password", POST, anonymous=200, student=200),
    Row("account_reset_password_done", GET, anonymous=200, student=200),
    Row("account_reset_password_from_key", GET, anonymous=200, student=200),
    Row("account_reset_password_from_key", POST, anonymous=200, student=200),
    Row("account_reset_password_from_key_done", GET, anonymous=200, student=200),
    Row("account_confirm_login_code", GET, anonymous=LOGIN, student=HOME),
    Row("account_confirm_login_code", POST, anonymous=LOGIN, student=HOME),
    Row("set_language", GET, anonymous="/", student="/"),
    Row("set_language", POST, anonymous="/", student="/", data={"language": "de"}),
    # ------------------------------------------------------------ the office's frame
    Row("admin:login", GET, anonymous=LOGIN, student=403, staff=OFFICE),
    Row("admin:login", POST, anonymous=LOGIN, student=403, staff=200),
    Row("admin:logout", GET, anonymous=OFFICE, student=OFFICE, staff=405),
    Row("admin:logout", POST, anonymous=OFFICE, student=OFFICE, staff=200),
]


def office(name: str, method: str, *, staff: Answer, **more: Any) -> Row:
    """A page of the admin: nobody else gets further than its login."""
    return Row(name, method, anonymous=ADMIN_LOGIN, student=ADMIN_LOGIN, staff=staff, **more)


OFFICE_PAGES = [
    office("admin:index", GET, staff=200),
    office("admin:app_list", GET, staff=200),
    office("admin:search", GET, staff=200, query="?s=course"),
    office("admin:jsi18n", GET, staff=200),
    office("admin:password_change", GET, staff=200),
    office("admin:password_change", POST, staff=200),
    office("admin:password_change_done", GET, staff=200),
    office("admin:view_on_site", GET, staff=404, things={"content_type_id": "1", "object_id": "1"}),
    office("admin/(?P<url>.*)$", GET, staff=404),
    office("admin:autocomplete", GET, staff=200, query="?app_label=enrollment&model_name=course&field_name=teachers"),
    # Which groups there are is for who puts people into them.
    office("admin:autocomplete", GET, staff=403, admin=200, query="?app_label=enrollment&model_name=user&field_name=groups"),
    # People. Superusers are for superusers.
    office("admin:auth_user_password_change", GET, staff=403, admin=200),
    office("admin:auth_user_password_change", POST, staff=403, admin=200),
    office("admin:auth_user_password_change", POST, staff=403, superuser=200, things={"id": "{root}"}),
    office("admin:enrollment_user_change", POST, staff=403, superuser=200, things={"object_id": "{root}"}),
    office("admin:enrollment_user_copy_data", GET, staff=403, admin=200),
    office("admin:enrollment_user_copy_data", GET, staff=403, superuser=200, things={"object_id": "{root}"}),
    office("admin:enrollment_user_erase", GET, staff=403, admin=200),
    office("admin:enrollment_user_erase", POST, staff=403, admin=200),
    office("admin:enrollment_user_erase", POST, staff=403, superuser=200, things={"object_id": "{root}"}),
    office("admin:enrollment_user_erase", GET, staff=403, admin=404, things={"object_id": "nobody"}),
    # Enrollments and lessons.
    office("admin:enrollment_enrollment_plan_lesson", GET, staff="/admin/enrollment/lesson/add/"),
    office("admin:enrollment_enrollment_plan_lesson", GET, staff=404, things={"object_id": "nothing"}),
    office("admin:enrollment_enrollment_changelist", POST, staff="/admin/", data={"action": "confirm_selected", "_selected_action": "{enrollment}"}),
    office("admin:enrollment_enrollment_changelist", POST, staff="/admin/", data={"action": "decline_selected", "_selected_action": "{enrollment}"}),
    office("admin:enrollment_lesson_changelist", POST, staff=200, data={"action": "cancel_selected", "_selected_action": "{lesson}"}),
    office("admin:enrollment_lesson_changelist", POST, staff=200, data={"action": "move_selected", "_selected_action": "{lesson}"}),
    office("admin:enrollment_enrollment_plan_series", GET, staff=200),
    office("admin:enrollment_enrollment_plan_series", POST, staff=200),
    office("admin:enrollment_enrollment_tick_units", GET, staff=200),
    office("admin:enrollment_enrollment_tick_units", POST, staff="/admin/", data={"unit": "{unit}", "done": "yes"}),
    office("admin:enrollment_lesson_week", GET, staff=200),
    office("admin:enrollment_lesson_day", GET, staff=200),
    office("admin:enrollment_teacher_week", GET, staff="/admin/enrollment/lesson/week/"),
    office("admin:holidays_holiday_year", GET, staff=200),
    office("admin:holidays_holiday_several", GET, staff=200),
    office("admin:holidays_holiday_several", POST, staff=422),
    office("admin:scheduling_bookingpolicy_counts", GET, staff=200, query="?teacher={teacher}&course={course_id}"),
    # Conflicts: looked for at once, kept or settled.
    office("admin:enrollment_conflict_look_again", POST, staff="/admin/"),
    office("admin:enrollment_conflict_look_again", GET, staff=405),
    office("admin:enrollment_conflict_changelist", POST, staff=200, data={"action": "keep_selected", "_selected_action": "{conflict}"}),
    office("admin:enrollment_conflict_changelist", POST, staff=200, data={"action": "cancel_selected", "_selected_action": "{conflict}"}),
    office("admin:enrollment_conflict_change", POST, staff="/admin/", data={"step": "keep", "reason": "x", "lesson-{lesson}-what": "keep"}),
    # Importing holidays, and taking an import back.
    office("admin:holidays_holidayimport_start", GET, staff=200),
    office("admin:holidays_holidayimport_start", GET, staff=422, query="?country=XX"),
    office("admin:holidays_holidayimport_country", GET, staff=200),
    office("admin:holidays_holidayimport_country", GET, staff=404, things={"code": "XX"}),
    office("admin:holidays_holidayimport_country", POST, staff=422),
    office("admin:holidays_holidayimport_file", GET, staff=200),
    office("admin:holidays_holidayimport_file", GET, staff=200, query="?source={source}"),
    office("admin:holidays_holidayimport_file", POST, staff=422),
    office("admin:holidays_holidayimport_again", GET, staff=405),
    # From a file; the library would be asked instead.
    office("admin:holidays_holidayimport_again", POST, staff="/admin/holidays/holidayimport/file/"),
    # Nothing waits.
    office("admin:holidays_holidayimport_preview", GET, staff="/admin/holidays/holidayimport/start/"),
    office("admin:holidays_holidayimport_preview", POST, staff="/admin/holidays/holidayimport/start/"),
    office("admin:holidays_holidayimport_undo", GET, staff=200),
    office("admin:holidays_holidayimport_undo", POST, staff="/admin/holidays/holidayimport/"),
    office("admin:holidays_holidayimport_undo", GET, staff=404, things={"object_id": "nothing"}),
    # Reading a conversation takes a reason.
    office("admin:enrollment_thread_change", POST, staff=200, data={"reason": "a complaint"}),
    office("admin:enrollment_apitoken_changelist", POST, staff="/admin/", data={"action": "revoke_selected", "_selected_action": "{digest}"}),
    office("admin:scheduling_calendarfeed_changelist", POST, staff="/admin/", data={"action": "revoke_selected", "_selected_action": "{feed}"}),
    # The switchboard.
    office("admin:rollback_flag_set_share", GET, staff=200),
    # Raising takes a permission of its own: refused at its field.
    office("admin:rollback_flag_set_share", POST, staff=200, admin=OFFICE, data={"percent": "5", "reason": "x"}),
    office("admin:rollback_flag_set_share", POST, staff=OFFICE, data={"percent": "0", "reason": "x"}),
    office("admin:rollback_flag_kill", GET, staff=200),
    office("admin:rollback_flag_kill", POST, staff=OFFICE, data={"reason": "x"}),
    office("admin:rollback_flag_restore", GET, staff=403, admin=200),
    office("admin:rollback_flag_restore", POST, staff=403, admin=200),
    office("admin:rollback_flag_kill_everything", GET, staff=200),
    office(
        "admin:rollback_flag_kill_everything",
        POST,
        staff=OFFICE,
        data={"reason": "x", "word": "everything"},
    ),
    office("admin:rollback_flag_who", GET, staff=200),
    office("admin:rollback_complaint_enter", GET, staff=200),
    office("admin:rollback_complaint_enter", POST, staff=200),
    office("admin:rollback_complaint_enter", POST, staff=OFFICE, data={"kind": "slow", "text": "x"}),
    office("admin:rollback_complaint_give_answer", GET, staff=200),
    office("admin:rollback_complaint_give_answer", POST, staff=200),
    office("admin:rollback_complaint_give_answer", POST, staff=OFFICE, data={"words": "x"}),
    # The shift is the admin's: each may hand over their own.
    office("admin:rollback_oncallshift_hand_over", GET, staff=403, admin=200),
    office("admin:rollback_oncallshift_hand_over", POST, staff=403, admin=200),
    office("admin:rollback_oncallshift_hand_over", POST, staff=403, admin="/admin/rollback/oncallshift/", data={"to": "{root}"}),
    office("admin:rollback_channel_send_test", GET, staff=403, admin=200),
    # Nobody is at its address.
    office("admin:rollback_channel_send_test", POST, staff=403, admin=200),
    office("admin:rollback_page_acknowledge", GET, staff=200),
    office("admin:rollback_page_acknowledge", POST, staff="/admin/rollback/page/"),
    office("admin:rollback_oncallpolicy_changelist", GET, staff="/admin/rollback/oncallpolicy/"),
    office("admin:rollback_oncallpolicy_add", GET, staff=403),
    office("admin:rollback_oncallpolicy_add", POST, staff=403),
    office("admin:rollback_oncallpolicy_change", GET, staff=200),
    office("admin:rollback_oncallpolicy_change", POST, staff=403, admin=200),
    office("admin:rollback_oncallpolicy_delete", GET, staff=403),
    office("admin:rollback_oncallpolicy_delete", POST, staff=403),
    office("admin:rollback_oncallpolicy_history", GET, staff=200),
    office("admin/rollback/oncallpolicy/<path:object_id>/", GET, staff="/admin/"),
    office("admin:rollback_incident_open_by_hand", GET, staff=200),
    office("admin:rollback_incident_open_by_hand", POST, staff="/admin/rollback/incident/", data={"title": "x", "severity": "3", "cause": "x"}),
    office("admin:rollback_incident_acknowledge", GET, staff=200),
    office("admin:rollback_incident_acknowledge", POST, staff="/admin/rollback/incident/"),
    office("admin:rollback_incident_note", GET, staff=200),
    office("admin:rollback_incident_note", POST, staff="/admin/rollback/incident/", data={"text": "x"}),
    office("admin:rollback_incident_decide", GET, staff=200),
    office("admin:rollback_incident_decide", POST, staff="/admin/rollback/incident/", data={"field": "few-none", "reason": "x"}),
    office("admin:rollback_incident_take_away", GET, staff=200),
    office("admin:rollback_incident_take_away", POST, staff="/admin/rollback/incident/", data={"flags": "ENABLE_CALENDAR_DISPLAY", "reason": "x"}),
    office("admin:rollback_incident_review", GET, staff=200),
    office("admin:rollback_incident_review", POST, staff=200, data={"root_cause": "x", "lessons": "x"}),
    office("admin:rollback_incident_publish", GET, staff=200),
    office("admin:rollback_incident_publish", POST, staff=422),
    office("admin:rollback_incident_publish", POST, staff="/admin/rollback/incident/", data={"publish": "", "basis": "identified|", "state": "identified", "components": "school", **TOLD}),
    office("admin:rollback_maintenance_cancel", GET, staff=200),
    office("admin:rollback_maintenance_cancel", POST, staff="/admin/rollback/maintenance/"),
    office("admin:rollback_incident_print", GET, staff=200),
    office("admin:rollback_incident_export", GET, staff=200),
    office("admin:rollback_incident_briefing", GET, staff=200),
    office("admin:rollback_incident_briefing_mail", GET, staff=200),
    office("admin:rollback_incident_briefing_mail", POST, staff="/admin/rollback/incident/"),
    office("admin:rollback_stakeholder_test", GET, staff=200),
    office("admin:rollback_stakeholder_test", POST, staff="/admin/rollback/stakeholder/"),
    office("admin:rollback_flag_runbook", GET, staff=200, things={"name": "calendar"}),
    office("admin:rollback_flag_runbook", GET, staff=404, things={"name": "nothing"}),
    # Words to its people.
    office("admin:rollback_incident_words", GET, staff="/admin/rollback/incident/"),
    office("admin:rollback_incident_write", GET, staff=200),
    office("admin:rollback_incident_write", POST, staff=200),
    office("admin:rollback_incident_sending", GET, staff=405),
    office("admin:rollback_incident_sending", GET, staff=200, things={"step": "release"}),
    office("admin:rollback_incident_sending", GET, staff=200, things={"step": "stop"}),
    office("admin:rollback_incident_sending", GET, staff=200, things={"step": "people"}),
    # Asked without saying whose mail, and in which version.
    office("admin:rollback_incident_sending", GET, staff=404, things={"step": "drawn"}),
    office("admin:rollback_incident_sending", GET, staff=404, things={"step": "nothing"}),
    office("admin:rollback_incident_sending", POST, staff=200, things={"step": "release"}),
    office("admin:rollback_incident_sending", POST, staff="/admin/rollback/incident/", things={"step": "release"}, data={"people": "1", "versions": '{{"de": 0, "en": 0, "es": 0}}'}),
    office("admin:rollback_incident_sending", POST, staff="/admin/rollback/incident/", things={"step": "stop"}),
    office("admin:rollback_incident_sending", POST, staff="/admin/rollback/incident/"),
    # The console.
    office("admin:rollback_flag_room", GET, staff=200),
    office("admin:rollback_flag_room", POST, staff=422),
    office("admin:rollback_flag_room", POST, staff="/admin/rollback/flag/room/", data={"word": "everything", "reason": "x"}),
    office("admin:rollback_flag_start_plan", GET, staff=200),
    office("admin:rollback_flag_start_plan", POST, staff=422),
    office("admin:rollback_flag_start_plan", POST, staff=200, data={"direction": "down", "flags": "ENABLE_CALENDAR_DISPLAY", "steps": "0", "minutes": "1", "mode": "kill", "reason": "x"}),
    office("admin:rollback_flag_start_plan", POST, staff=422, admin=200, data={"direction": "up", "flags": "ENABLE_CALENDAR_DISPLAY", "steps": "5", "minutes": "1", "mode": "kill", "reason": "x"}),
    office("admin:rollback_flag_plan", GET, staff=200),
    office("admin:rollback_flag_plan", GET, staff=403, admin=200, things={"step": "resume"}),
    office("admin:rollback_flag_plan", POST, staff=422),
    office("admin:rollback_flag_plan", POST, staff=403, admin=422, things={"step": "finish"}, data={"reason": "x"}),  # nobody watches: nothing is raised
    office("admin:rollback_flag_plan", POST, staff="/admin/rollback/flag/room/", data={"reason": "x"}),
    office("admin:rollback_flag_acknowledge", GET, staff=405),
    office("admin:rollback_flag_acknowledge", POST, staff="/admin/rollback/flag/room/"),
    # The phases: seen and asked for by the office; tables are archived by two.
    office("admin:rollback_phaserun_now", GET, staff=200),
    office("admin:rollback_phaserun_now", POST, staff=422),
    office("admin:rollback_phaserun_now", POST, staff=200, data={"target": "3", "mode": "kill", "reason": "x"}),
    office("admin:rollback_phaserun_now", POST, staff=422, admin=200, data={"target": "0", "mode": "kill", "reason": "x"}),
    office("admin:rollback_phaserun_approve", GET, staff=200),
    office("admin:rollback_phaserun_approve", POST, staff=403, admin=422),
    office("admin:rollback_phaserun_approve", POST, staff=403, admin="/admin/rollback/phaserun/now/", data={"word": "archive"}),
    office("admin:rollback_phaserun_cancel", GET, staff=200),
    office("admin:rollback_phaserun_cancel", POST, staff=422),
    office("admin:rollback_phaserun_cancel", POST, staff="/admin/rollback/phaserun/now/", data={"reason": "x"}),
    # It has not failed.
    office("admin:rollback_phaserun_retry", GET, staff=403),
    office("admin:rollback_phaserun_retry", POST, staff=403),
    office("admin:rollback_rehearsal_picture", GET, staff=200),
    office("admin:rollback_messagetemplate_changelist", GET, staff=200),
    office("admin:rollback_messagetemplate_letter", GET, staff=200, things=LETTER),
    office("admin:rollback_messagetemplate_letter", POST, staff=422, things=LETTER),
    office("admin:rollback_messagetemplate_letter", POST, staff="/admin/rollback/messagetemplate/", things=LETTER, data={"seen": "0", "subject": "x", "text": "{{{{ saved }}}} {{{{ link }}}}"}),
    office("admin:rollback_messagetemplate_preview", GET, staff=200, things=LETTER),
    office("admin:rollback_messagetemplate_preview", POST, staff=200, things=LETTER),
    office("admin:rollback_incident_resolve", GET, staff=200),
    office("admin:rollback_incident_resolve", POST, staff="/admin/", data={"reason": "x"}),
    # There is nothing to be decided about a draft that can be read.
    office("admin:rollback_enrollmentdraft_give_back", GET, staff=404),
    office("admin:rollback_enrollmentdraft_give_back", POST, staff=404),
    office("admin:rollback_enrollmentdraft_delete_unreadable", GET, staff=404),
    office("admin:rollback_enrollmentdraft_delete_unreadable", POST, staff=404),
    office("admin:rollback_flag_audit", GET, staff="/admin/rollback/flagchange/"),
]

# What each may do with a model's rows in the admin: l(ook), a(dd), c(hange), d(elete).
MODELS = {
    #                             staff   admin   superuser
    "account_emailaddress":     ("",     "",     "lacd"),
    "auth_group":               ("",     "l",    "lacd"),
    "enrollment_apitoken":      ("l",    "l",    "l"),     # made by their owners, revoked by an action
    "enrollment_conflict":      ("lc",   "lc",   "lc"),    # found and ended, never made by hand
    "enrollment_course":        ("lacd", "lacd", "lacd"),
    "enrollment_courseunit":    ("lacd", "lacd", "lacd"),
    "enrollment_enrollment":    ("lacd", "lacd", "lacd"),
    "enrollment_lesson":        ("lac",  "lac",  "lac"),   # cancelled, never deleted
    "enrollment_makeupcredit":  ("lc",   "lc",   "lc"),    # granted with a cancelled lesson
    "enrollment_messageaccess": ("",     "l",    "l"),
    "enrollment_student":       ("lacd", "lacd", "lacd"),
    "enrollment_teacher":       ("lacd", "lacd", "lacd"),
    "enrollment_thread":        ("lc",   "lc",   "lc"),    # opened with a reason, never edited
    "enrollment_unitdone":      ("l",    "l",    "l"),     # ticked and taken back at the enrollment
    "enrollment_user":          ("l",    "lac",  "lac"),   # erased, never deleted
    "holidays_holiday":         ("lacd", "lacd", "lacd"),
    "holidays_region":          ("lacd", "lacd", "lacd"),
    "holidays_teacherregion":   ("lacd", "lacd", "lacd"),
    "holidays_holidayimport":   ("l",    "l",    "l"),     # made by importing, taken back whole
    "holidays_holidaysource":   ("lcd",  "lcd",  "lcd"),   # made by the first import
    "rollback_backup":          ("l",    "l",    "l"),     # made by the command and the nightly task
    "rollback_channel":         ("",     "lacd", "lacd"),  # its address is a key
    "rollback_oncallshift":     ("l",    "lacd", "lacd"),
    "rollback_page":            ("l",    "l",    "l"),     # opened by the watch, acknowledged by an action
    "rollback_ledgerentry":     ("l",    "l",    "l"),     # written by migrations
    "rollback_orphan":          ("l",    "l",    "l"),
    "rollback_phaserun":        ("l",    "l",    "l"),     # asked for, approved and cancelled, never edited
    "rollback_rehearsal":       ("l",    "l",    "l"),
    "rollback_schemachange":    ("l",    "l",    "l"),
    "rollback_complaint":       ("l",    "l",    "l"),     # entered and answered by actions
    "rollback_affectedperson":  ("l",    "l",    "l"),
    "rollback_incidentaction":  ("lc",   "lc",   "lc"),
    "rollback_deafaddress":     ("ld",   "ld",   "ld"),    # told by mail servers; off the list: written to again
    "rollback_notification":    ("l",    "l",    "l"),     # sent again by an action
    "rollback_enrollmentdraft": ("l",    "l",    "l"),
    "rollback_flag":            ("lc",   "lc",   "lc"),
    "rollback_flagchange":      ("l",    "l",    "l"),
    "rollback_incident":        ("l",    "l",    "l"),
    "rollback_banner":          ("lacd", "lacd", "lacd"),
    "rollback_maintenance":     ("lac",  "lac",  "lac"),   # cancelled, never deleted
    "rollback_judgment":        ("l",    "l",    "l"),     # written by the evaluation
    "rollback_trigger":         ("l",    "lc",   "lc"),    # switched off, never deleted
    "rollback_stakeholder":     ("lacd", "lacd", "lacd"),  # who gets the briefings
    "rollback_verification":    ("l",    "l",    "l"),     # made by the engine and by the command
    "scheduling_availabilityexception": ("lacd", "lacd", "lacd"),
    "scheduling_availabilityrule": ("lacd", "lacd", "lacd"),
    "scheduling_bookingpolicy": ("lacd", "lacd", "lacd"),
    "scheduling_calendarfeed": ("l",    "l",    "l"),     # made by their owners, revoked by an action
    "scheduling_timeoff": ("lacd", "lacd", "lacd"),
    "scheduling_waitlistentry": ("ld",   "ld",   "ld"),    # by students; the office removes
}
# fmt: on

# No field of these is required, so a form without anything in it is saved.
SAVED_WHEN_EMPTY = {
    ("enrollment_makeupcredit", "change", POST),
    ("rollback_incidentaction", "change", POST),
}


def pages_of(model: str, may: tuple[str, str, str]) -> list[Row]:
    """Django's own pages of a model."""

    def page(kind: str, method: str, right: str) -> Row:
        saved = (model, kind, method) in SAVED_WHEN_EMPTY
        yes: Answer = "/admin/" if saved else 200
        staff, admin, superuser = (yes if right in rights else 403 for rights in may)
        name = f"admin:{model}_{kind}"
        return office(name, method, staff=staff, admin=admin, superuser=superuser)

    # The short address leads everybody of the office to the long one, which then asks.
    short = f"admin/{model.replace('_', '/', 1)}/<path:object_id>/"
    return [
        page("changelist", GET, "l"),
        page("add", GET, "a"),
        page("add", POST, "a"),
        page("change", GET, "l"),
        page("change", POST, "c"),
        page("delete", GET, "d"),
        page("delete", POST, "d"),
        page("history", GET, "l"),
        office(short, GET, staff="/admin/"),
    ]


# Whose files the office reads and writes.
SHEETS = ("enrollment_course", "enrollment_courseunit", "enrollment_enrollment", "enrollment_lesson",
          "enrollment_student", "enrollment_teacher", "enrollment_unitdone", "scheduling_availabilityrule")  # fmt: skip


def sheets_of(model: str) -> list[Row]:
    return [
        office(f"admin:{model}_export", GET, staff=200),
        office(f"admin:{model}_export", POST, staff=200),
        office(f"admin:{model}_import", GET, staff=200),
        office(f"admin:{model}_import", POST, staff=200),
        # Nothing has been looked at before.
        office(f"admin:{model}_process_import", POST, staff="/admin/"),
    ]


ROWS = [
    *PAGES,
    *OFFICE_PAGES,
    *(row for item in MODELS.items() for row in pages_of(*item)),
    *(row for model in SHEETS for row in sheets_of(model)),
]

# A GET of these may write, by table; each with the reason.
GET_MAY_WRITE = {
    ("account_email", "account_emailaddress"): "allauth notes the address that the account has.",
    (
        "calendar:feed",
        "scheduling_calendarfeed",
    ): "The day of the last reading is for its owner to see.",
    (
        "admin:rollback_oncallpolicy_changelist",
        "rollback_oncallpolicy",
    ): "The one row that there is, made when somebody first looks for it.",
    ("enrollment:thread", "enrollment_reader"): "What was read is no longer unread.",
}


# A POST of these needs no token of ours; each with the reason.
WITHOUT_CSRF = {
    "watch:healthz": "Answered before anything else, and only reading.",
    "watch:readyz": "Answered before anything else, and only reading.",
    "watch:metrics": "Answered before anything else, and only reading.",
    "watch:watch_alive": "Answered before anything else, and only reading.",
    "watch:status": "Answered before whoever asks is known, and only reading.",
    "watch:status-rss": "Answered before whoever asks is known, and only reading.",
    "watch:status-atom": "Answered before whoever asks is known, and only reading.",
    "watch:status-json": "Answered before whoever asks is known, and only reading.",
    "drafts:no_reminders": "Mail programs press it for their reader (RFC 8058); the URL is signed.",
    "watch:mail_hook": "A provider comes without a page; what it sends is signed.",
    "watch:no_news": "Mail programs press it for their reader (RFC 8058); the URL is signed.",
}


@pytest.fixture
def school() -> School:
    return build()


@pytest.mark.parametrize("role", ROLES)
def test_everybody_gets_what_the_table_says_and_a_get_changes_nothing(
    school: School, role: str
) -> None:
    ask, wrong = Asking(school.people[role]), []
    for row in ROWS:
        path, expected = path_of(row, school.things), row.expected(role)
        response, changed = ask(path, row.method, data_of(row, school.things))
        if (got := answered(response, expected)) != expected:
            wrong.append(f"{row.name} ({row.method} {path}): {got} instead of {expected}")
        if written := {table for table in changed if (row.name, table) not in GET_MAY_WRITE}:
            wrong.append(f"{row.name} (GET {path}) wrote to {sorted(written)}")
    assert not wrong, f"{role} gets\n" + "\n".join(wrong)


def test_every_url_is_in_the_table() -> None:
    missing = sorted(set(ROUTES) - {row.name for row in ROWS})
    assert not missing, (
        f"Nobody has said who may see {missing}. Add a line for each and each method to PAGES, like\n"
        f'    Row("{missing[0]}", GET, anonymous=LOGIN, student=200, other_student=404, staff=403),\n'
        "for pages of the admin to OFFICE_PAGES, and for a new ModelAdmin to MODELS (in "
        "tests/architecture/test_permissions.py)."
    )


def test_no_two_urls_share_a_name() -> None:
    """A row stands for one URL; the second of that name would be in nobody's table."""
    by_name = Counter(name for name, _route in set(routes()))
    assert [name for name, count in by_name.items() if count > 1] == []


def test_every_operation_of_the_api_is_in_the_table() -> None:
    schema: Any = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    missing = []
    for path, operations in schema["paths"].items():
        name = resolve(re.sub(r"{\w+}", "1", path)).view_name
        missing += [
            f'Row("{name}", {method.upper()}, anonymous=401, student=200)'
            for method in operations
            if (name, method.upper()) not in {(row.name, row.method) for row in ROWS}
        ]
    assert schema["paths"]
    assert not missing, f"Add to PAGES: {missing}"


def test_the_table_names_nothing_that_is_not_there() -> None:
    assert not {row.name for row in ROWS} - set(ROUTES)
    twice = Counter(
        (row.name, row.method, row.query, str(row.things), str(row.data)) for row in ROWS
    )
    assert not [key for key, count in twice.items() if count > 1]


def test_every_post_without_a_csrf_token_is_refused(school: School) -> None:
    """As a superuser, who would otherwise get in nearly everywhere."""
    client = Client(enforce_csrf_checks=True)
    superuser = school.people["superuser"]
    assert superuser is not None
    client.force_login(superuser)
    open_doors = []
    asked = [row for row in ROWS if row.name not in WITHOUT_CSRF]
    for path in sorted({path_of(row, school.things) for row in asked}):
        kind: Any = JSON if path.startswith(API) else {}
        response = client.post(path, **kind)
        words = response.content.decode()
        if "Please send that once more" not in words and "CSRF Failed" not in words:
            open_doors.append((path, response.status_code))
    assert not open_doors
