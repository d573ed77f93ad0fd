"""“Report a problem”: from every page, by everybody, whatever is off; never lost, never twice."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from enrollment.api.throttling import one_sender
from enrollment.models import Course, Student, User
from enrollment.operations.erase import erase_person
from rollback import complaints
from rollback.audit import Actor
from rollback.complaints import pages
from rollback.models import Complaint
from rollback.personal.engine import erase_reports, export_reports
from rollback.tasks import forget_old_reports
from tests.conftest import Switches, make_student, make_user

REPORT, THANKS = "/report/", "/report/thanks/"
SAID = {"kind": "wrong", "text": "My lesson is on the wrong day.", "page": "/calendar/2026/12/"}


@pytest.fixture(autouse=True)
def nothing_counted(db: Any) -> None:
    cache.clear()


def links(page: str) -> list[str]:
    return re.findall(r'href="(/report/[^"]*)"', page)


# ---------------------------------------------------------------- from everywhere, by everybody


def test_each_page_of_the_school_leads_there_with_its_own_address(
    client: Client, student: Student, course: Course
) -> None:
    assert links(client.get("/").content.decode()) == ["/report/?from=%2F"]
    client.force_login(student.user)
    found = links(client.get("/calendar/2026/12/").content.decode())
    assert found == ["/report/?from=%2Fcalendar%2F2026%2F12%2F"]
    # A page that is not there can be reported as well.
    assert links(client.get("/nothing-here/").content.decode())


def test_a_key_in_an_address_is_not_passed_on(client: Client) -> None:
    page = client.get("/accounts/password/reset/key/1-s3cret/").content.decode()
    (link,) = links(page)
    assert "s3cret" not in link
    response = client.post(REPORT, {**SAID, "page": "/accounts/password/reset/key/1-s3cret/"})
    assert response.status_code == 303
    assert "s3cret" not in Complaint.objects.get().path
    assert "Back to where you were" not in client.get(response["Location"]).content.decode()


def test_a_page_that_broke_leads_there_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_request: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("config.context.ways", breaks)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert links(response.content.decode()) == ["/report/"]


def test_the_office_has_it_in_its_menu_and_comes_back(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert links(client.get("/admin/").content.decode()) == ["/report/"]
    headers = {"referer": "http://testserver/admin/enrollment/student/?q=ada%40school.example"}
    page = client.get(REPORT, headers=headers).content.decode()
    assert 'name="page" value="/admin/enrollment/student/"' in page
    other = client.get(REPORT, headers={"referer": "http://elsewhere.example/admin/"})
    assert 'name="page" value=""' in other.content.decode()


def test_it_works_with_everything_off_and_keeps_what_was_on(
    client: Client, student: Student, switches: Switches
) -> None:
    client.force_login(student.user)
    switches.kill("ENABLE_CALENDAR_DISPLAY")
    assert client.post(REPORT, SAID).status_code == 303
    switches.kill()
    assert client.get(REPORT).status_code == 200
    assert client.post(REPORT, {**SAID, "text": "And again."}).status_code == 303
    later, first = Complaint.objects.all()
    assert first.features == [
        "ENABLE_AVAILABILITY_API",
        "ENABLE_HOLIDAY_MANAGEMENT",
        "ENABLE_TEACHER_SCHEDULING",
    ]
    assert later.features == []
    assert (first.by, first.reporter) == (student.user, f"u:{student.user.pk}")
    assert (first.kind, first.path, first.done_at) == ("wrong", "/calendar/2026/12/", None)


def test_afterwards_one_is_told_and_goes_back(client: Client, student: Student) -> None:
    client.force_login(student.user)
    response = client.post(REPORT, SAID)
    assert response["Location"] == f"{THANKS}?from=%2Fcalendar%2F2026%2F12%2F"
    page = client.get(response["Location"]).content.decode()
    assert "Your report has arrived" in page
    assert 'href="/calendar/2026/12/"' in page


def test_without_a_login_an_address_is_one_person(client: Client, student: Student) -> None:
    """Each without a cookie, as programs send them: they are one, and open no case of many."""
    for number in range(pages.ADDRESS[0]):
        said = {**SAID, "text": f"{number}"}
        assert Client().post(REPORT, said, REMOTE_ADDR="203.0.113.9").status_code == 303
    assert Client().post(REPORT, SAID, REMOTE_ADDR="203.0.113.9").status_code == 429
    assert complaints.people_of_the_last_hour() == 1
    (reporter,) = set(Complaint.objects.values_list("reporter", flat=True))
    assert reporter.startswith("a:")
    assert "203.0.113" not in reporter
    assert set(Complaint.objects.values_list("by", flat=True)) == {None}
    client.force_login(student.user)
    assert client.post(REPORT, SAID, REMOTE_ADDR="203.0.113.9").status_code == 303
    assert complaints.people_of_the_last_hour() == 2


def test_all_addresses_of_one_ipv6_network_are_one_person() -> None:
    for number in range(pages.ADDRESS[0] + 3):
        address = f"2001:db8:1:2:{number:x}::{number:x}"
        Client().post(REPORT, {**SAID, "text": f"{number}"}, REMOTE_ADDR=address)
    assert Complaint.objects.count() == pages.ADDRESS[0]
    assert complaints.people_of_the_last_hour() == 1
    assert Client().post(REPORT, SAID, REMOTE_ADDR="2001:db8:1:3::1").status_code == 303
    assert complaints.people_of_the_last_hour() == 2


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("nonsense", "nonsense"),
        ("", ""),
        (None, ""),
    ],
)
def test_who_sends_is_known_by_what_one_customer_has(address: str | None, sender: str) -> None:
    assert one_sender(address) == sender


def test_an_address_has_another_name_each_hour_and_no_trigger_takes_them_for_many() -> None:
    now = datetime(2026, 11, 2, 8, 59, 59, tzinfo=UTC)
    names = {
        complaints.somebody_at("203.0.113.9", now=now + timedelta(minutes=minutes))
        for minutes in range(60)
    }
    assert len(names) == 2
    assert complaints.somebody_at("203.0.113.10", now=now) not in names


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("said", "words", "field"),
    [
        ({"kind": ""}, "Choose what comes closest.", "id_kind"),
        ({"kind": "nonsense"}, "Select a valid choice", "id_kind"),
        ({"text": ""}, "Say in a few words what happened.", "id_text"),
        ({"text": " \n "}, "Say in a few words what happened.", "id_text"),
        ({"text": "\x00"}, "Say in a few words what happened.", "id_text"),
        ({"text": "ä" * 2001}, "at most 2000 characters (it has 2001)", "id_text"),
        ({"text": "x" * 200_000}, "at most 2000 characters (it has 200000)", "id_text"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    client: Client, said: dict[str, str], words: str, field: str
) -> None:
    response = client.post(REPORT, {**SAID, **said})
    page = response.content.decode()
    assert response.status_code == 422
    assert words in page
    assert f'href="#{field}"' in page
    assert 'name="page" value="/calendar/2026/12/"' in page
    typed = {**SAID, **said}["text"].strip("\x00 \n")
    assert typed in page
    if "kind" not in said:
        assert re.search(r'value="wrong"[^>]*checked', page)
    assert not Complaint.objects.exists()


def test_two_thousand_characters_fit_with_the_line_breaks_of_a_browser(client: Client) -> None:
    text = "\r\n".join(["x" * 99] * 20)
    assert client.post(REPORT, {**SAID, "text": text}).status_code == 303
    assert Complaint.objects.get().text == text.replace("\r\n", "\n")


def test_markup_stays_text(client: Client, admin: User) -> None:
    client.post(REPORT, {**SAID, "text": "<script>alert(1)</script>", "page": '/"><script>'})
    client.force_login(admin)
    page = client.get("/admin/rollback/complaint/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize(
    "page",
    [
        "//elsewhere.example/", "https://elsewhere.example/", "javascript:alert(1)", "\\\\elsewhere",
        "/\\elsewhere.example", "calendar/", "/x\r\ny", "/" + "x" * 300, "/report/", REPORT + "?a=b", "",
    ],
)  # fmt: skip
def test_only_a_page_of_ours_is_kept_and_gone_back_to(client: Client, page: str) -> None:
    response = client.post(REPORT, {**SAID, "page": page})
    assert response["Location"] == f"{THANKS}?from="
    assert Complaint.objects.get().path == ""
    shown = client.get(f"{THANKS}", {"from": page}).content.decode()
    assert "elsewhere" not in "".join(re.findall(r'href="([^"]*)"', shown))
    assert "Back to where you were" not in shown
    assert 'name="page" value=""' in client.get(REPORT, {"from": page}).content.decode()


def test_what_follows_the_path_is_not_kept(client: Client) -> None:
    client.post(REPORT, {**SAID, "page": "/?q=ada@school.example#here"})
    assert Complaint.objects.get().path == "/"


def test_from_another_origin_or_without_the_pages_token_nothing_is_kept(student: Student) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(student.user)
    assert client.post(REPORT, SAID).status_code == 403
    client.get(REPORT)
    token = client.cookies["csrftoken"].value
    said = {**SAID, "csrfmiddlewaretoken": token}
    assert (
        client.post(REPORT, said, headers={"origin": "https://elsewhere.example"}).status_code
        == 403
    )
    assert not Complaint.objects.exists()
    assert client.post(REPORT, said, headers={"origin": "http://testserver"}).status_code == 303


# ---------------------------------------------------------------- not too many, and not twice


def test_sent_twice_it_is_one(client: Client, student: Student) -> None:
    client.force_login(student.user)
    for _ in range(2):
        assert client.post(REPORT, SAID).status_code == 303
    sent = Complaint.objects.get()
    complaints.answer(complaint=sent.pk, words="Moved.", actor=Actor(name="office"))
    client.post(REPORT, SAID)
    assert Complaint.objects.count() == 2, "it was answered, and is wrong again"


@pytest.mark.django_db(transaction=True)
def test_a_button_pressed_twice_at_once_is_one(student: Student) -> None:
    def send() -> None:
        ready.wait()
        complaints.report(
            kind="slow", text="x", path="/", reporter=f"u:{student.user.pk}", user=student.user,
            features=[],
        )  # fmt: skip
        connection.close()

    ready = threading.Barrier(4)
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert Complaint.objects.count() == 1


def test_who_sends_many_waits_and_loses_nothing(client: Client, student: Student) -> None:
    client.force_login(student.user)
    most = pages.PERSON[0]
    for number in range(most):
        assert client.post(REPORT, {**SAID, "text": f"{number}"}).status_code == 303
    # What cannot be sent does not count either.
    response = client.post(REPORT, {**SAID, "text": "One too many."})
    page = response.content.decode()
    assert response.status_code == 429
    assert "You have sent several reports" in page
    assert "One too many." in page
    assert Complaint.objects.count() == most
    other = make_student("other@school.example")
    client.force_login(other.user)
    assert client.post(REPORT, SAID).status_code == 303


def test_a_browser_that_throws_its_cookies_away_is_no_crowd(settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    real = "203.0.113.9"
    statuses = [
        Client()
        .post(REPORT, SAID, headers={"x-forwarded-for": f"10.0.0.{number}, {real}"})
        .status_code
        for number in range(pages.ADDRESS[0] + 3)
    ]
    assert statuses == [303] * pages.ADDRESS[0] + [429] * 3
    other = Client().post(REPORT, SAID, headers={"x-forwarded-for": "203.0.113.10"})
    assert other.status_code == 303


# ---------------------------------------------------------------- answered


def test_an_answer_is_words_of_somebody_and_comes_once(staff: User) -> None:
    sent = Complaint.objects.create(kind="slow", text="x", reporter="a:x")
    boss = Actor(name=staff.email, user=staff)
    with pytest.raises(complaints.CannotAnswer, match="Say in words"):
        complaints.answer(complaint=sent.pk, words=" ", actor=boss)
    done = complaints.answer(complaint=sent.pk, words=" A new index. ", actor=boss)
    assert (done.answer, done.done_by, done.done_by_name) == ("A new index.", staff, staff.email)
    assert done.done_at is not None
    with pytest.raises(complaints.CannotAnswer, match=staff.email):
        complaints.answer(complaint=sent.pk, words="Again.", actor=boss)
    with pytest.raises(complaints.CannotAnswer, match="no report 0"):
        complaints.answer(complaint=0, words="x", actor=boss)


def test_only_the_last_hour_counts_and_each_person_once() -> None:
    now = timezone.now()
    for reporter, minutes in (("u:1", 1), ("u:1", 5), ("a:x", 59), ("u:2", 61)):
        Complaint.objects.create(
            kind="slow", text="x", reporter=reporter, reported_at=now - timedelta(minutes=minutes)
        )
    assert complaints.people_of_the_last_hour() == 2


# ---------------------------------------------------------------- personal


def test_a_person_gets_a_copy_of_what_they_sent(student: Student, staff: User) -> None:
    sent = Complaint.objects.create(
        kind="slow", text="Mine.", reporter=f"u:{student.user.pk}", by=student.user, path="/"
    )
    Complaint.objects.create(kind="slow", text="Another's.", reporter="a:x")
    complaints.answer(complaint=sent.pk, words="Done.", actor=Actor(name="x", user=staff))
    (copy,) = export_reports(user=student.user)["sent"]
    assert (copy["text"], copy["answer"], copy["path"]) == ("Mine.", "Done.", "/")
    assert [one["answer"] for one in export_reports(user=staff)["answered"]] == ["Done."]


def test_erased_nothing_leads_to_them_and_the_numbers_stay(student: Student, staff: User) -> None:
    for text in ("One.", "Two."):
        Complaint.objects.create(
            kind="slow", text=text, reporter=f"u:{student.user.pk}", by=student.user, path="/"
        )
    answered = Complaint.objects.earliest("pk")
    complaints.answer(
        complaint=answered.pk, words="Called Ada.", actor=Actor(name=staff.email, user=staff)
    )
    erase_reports(user=student.user, now=timezone.now())
    erase_reports(user=staff, now=timezone.now())
    found = list(Complaint.objects.order_by("pk"))
    assert [(one.by, one.text, one.path) for one in found] == [(None, "", "/")] * 2
    assert [one.answer for one in found] == ["–", ""]
    assert found[0].done_by_name == f"person {staff.pk}"
    assert {one.reporter[:2] for one in found} == {"n:"}
    # Still one person: an hour's count must not rise because somebody left.
    assert complaints.people_of_the_last_hour() == 1


@pytest.mark.django_db(transaction=True)
def test_a_report_of_somebody_who_is_just_deleted_is_nobodys(student: Student) -> None:
    user = User.objects.get(pk=student.user.pk)
    erase_person(user=student.user, by=student.user, now=timezone.now())
    sent = complaints.report(
        kind="slow", text="x", path="", reporter=f"u:{user.pk}", user=user, features=[]
    )
    assert (sent.by, sent.reporter[:2]) == (None, "n:")


def test_words_are_blanked_a_year_after_the_answer(student: Student) -> None:
    now = timezone.now()
    for by in (student.user, None):
        for days in (366, 364, None):
            done = now - timedelta(days=days) if days else None
            Complaint.objects.create(
                kind="wrong", text=f"{days}", path="/calendar/2026/12/", by=by,
                reporter=f"u:{by.pk}" if by else "a:x", reported_at=now - timedelta(days=800),
                done_at=done, done_by_name="x" if days else "", answer="Moved." if days else "",
            )  # fmt: skip
    assert forget_old_reports() == 2
    assert forget_old_reports() == 0
    kept = Complaint.objects.order_by("pk").values_list("text", "path", "answer")
    page = "/calendar/2026/12/"
    assert list(kept) == [("", "", "–"), ("364", page, "Moved."), ("None", page, "")] * 2
    scheduled = [each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()]
    assert forget_old_reports.name in scheduled


# ---------------------------------------------------------------- the office


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    from config.roles import give_permissions

    give_permissions()
    client.force_login(staff)
    return client


LIST = "/admin/rollback/complaint/"


def test_the_office_sees_open_ones_first_and_how_many_people(
    office: Client, student: Student
) -> None:
    for text, by in (("Oldest.", student.user), ("Newest.", None)):
        Complaint.objects.create(
            kind="slow", text=text, by=by, reporter=f"u:{by.pk}" if by else "a:x",
            features=["ENABLE_CALENDAR_DISPLAY"] if by else [],
        )  # fmt: skip
    done = Complaint.objects.create(kind="broken", text="Answered.", reporter="a:y")
    complaints.answer(complaint=done.pk, words="x", actor=Actor(name="x"))
    page = office.get(LIST).content.decode()
    assert "3 people have reported something in the last hour." in page
    places = [page.index(text) for text in ("Newest.", "Oldest.", "Answered.")]
    assert places == sorted(places)
    assert "Ada Vogel" in page
    for query, seen, not_seen in (
        ("state=open", "Newest.", "Answered."),
        ("state=done", "Answered.", "Newest."),
        ("feature=ENABLE_CALENDAR_DISPLAY", "Oldest.", "Newest."),
        ("feature=none", "Newest.", "Oldest."),
        ("kind__exact=broken", "Answered.", "Oldest."),
        ("q=ada@school.example", "Oldest.", "Newest."),
    ):
        page = office.get(f"{LIST}?{query}").content.decode()
        assert seen in page, query
        assert not_seen not in page, query


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (LIST + "abc/change/", 302),  # Django's own answer to what is not there
        (LIST + "abc/answer/", 404),
        (LIST + "?feature=%00", 200),
        (LIST + "?feature=no-such", 200),
        (LIST + "?state=%00", 200),
        (LIST + "?q=%00", 200),
        ("/admin/rollback/affectedperson/?reason=%00", 200),
        ("/admin/rollback/affectedperson/?reason=exposed", 200),
        ("/admin/enrollment/conflict/?kind=%00", 200),
    ],
)
def test_whatever_somebody_writes_into_the_address_breaks_nothing(
    office: Client, page: str, status: int
) -> None:
    assert office.get(page).status_code == status


def test_the_office_answers_in_words(office: Client, staff: User) -> None:
    sent = Complaint.objects.create(kind="slow", text="So slow.", reporter="a:x")
    detail, answer = f"{LIST}{sent.pk}/change/", f"{LIST}{sent.pk}/answer/"
    assert answer in office.get(detail).content.decode()
    page = office.post(answer, {"words": ""}).content.decode()
    assert "Say in words what was done." in page
    assert "So slow." in page
    assert office.post(answer, {"words": "A new index."})["Location"] == LIST
    sent.refresh_from_db()
    assert (sent.answer, sent.done_by, sent.done_by_name) == ("A new index.", staff, staff.email)
    # A second one, from a page that was open meanwhile, keeps its words and is told who was faster.
    page = office.post(answer, {"words": "Something else."}).content.decode()
    assert "Somebody has answered it already" in page
    assert "Something else." in page
    assert answer not in office.get(detail).content.decode()
    assert office.get(f"{LIST}0/answer/").status_code == 404


def test_the_office_enters_what_somebody_says_on_the_phone(
    office: Client, student: Student
) -> None:
    enter = f"{LIST}enter/"
    assert enter in office.get(LIST).content.decode()
    said = {"who": " Ada@School.example ", "kind": "payment", "text": "Paid twice."}
    assert office.post(enter, said)["Location"] == LIST
    sent = Complaint.objects.get()
    assert (sent.by, sent.reporter, sent.kind) == (student.user, f"u:{student.user.pk}", "payment")
    assert "ENABLE_CALENDAR_DISPLAY" in sent.features
    page = office.post(enter, {**said, "who": "nobody@school.example"}).content.decode()
    assert "Nobody has this address." in page
    assert "Paid twice." in page
    for text in ("Somebody.", "Somebody else."):
        office.post(enter, {**said, "who": "", "text": text})
    assert Complaint.objects.filter(by=None).values("reporter").distinct().count() == 2
    assert complaints.people_of_the_last_hour() == 3


def test_who_may_only_look_neither_answers_nor_enters(client: Client) -> None:
    from django.contrib.auth.models import Permission

    looks = make_user("looks@school.example", is_staff=True)
    looks.user_permissions.add(Permission.objects.get(codename="view_complaint"))
    client.force_login(looks)
    sent = Complaint.objects.create(kind="slow", text="x", reporter="a:x")
    page = client.get(LIST).content.decode()
    assert f"{LIST}enter/" not in page
    assert client.get(f"{LIST}{sent.pk}/change/").status_code == 200
    for path in (f"{LIST}enter/", f"{LIST}{sent.pk}/answer/"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"words": "x", "kind": "slow", "text": "x"}).status_code == 403
    sent.refresh_from_db()
    assert sent.done_at is None
    assert Complaint.objects.count() == 1
