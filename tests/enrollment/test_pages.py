"""The ground floor's pages, with every feature off: who sees what, and what a wrong form says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.confirmations import confirmation
from enrollment.operations.lessons import plan_lesson
from enrollment.sockets import Beginning, KeepsNothing
from tests.conftest import Switches, make_student, make_teacher

NOON = datetime(2031, 1, 15, 11, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def everything_off(switches: Switches) -> None:
    switches.kill()


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(
        student=student,
        course=course,
        teacher=teacher,
        wished_times="Mondays\nafter 16:00",
        note="<b>I have played before.</b>",
    )


def logged_in(client: Client, person: Student | Teacher) -> Client:
    client.force_login(person.user)
    return client


def page(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def plan(enrollment: Enrollment, teacher: Teacher, *starts: datetime) -> list[Lesson]:
    return [
        plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=start, now=start)
        for start in starts
    ]


# ---------------------------------------------------------------- catalog


def test_the_catalog_shows_a_course_with_teacher_length_and_places(
    client: Client, course: Course
) -> None:
    text = page(client, "/")
    for words in ("Violin for beginners", "Marta Rossi", "45 minutes", "10 places left"):
        assert words in text
    assert "/courses/violin/" in text


def test_search_finds_title_and_teacher_and_keeps_what_was_typed(
    client: Client, course: Course
) -> None:
    Course.objects.create(title="Chess", slug="chess")
    for search in ("VIOLIN", "rossi"):
        text = page(client, f"/?q={search}")
        assert "Violin for beginners" in text
        assert "Chess" not in text
        assert f'value="{search}"' in text


def test_a_search_without_result_offers_all_courses(client: Client, course: Course) -> None:
    text = page(client, "/?q=<script>")
    assert "Nothing fits that search" in text
    assert "Show all courses" in text
    assert "<script>" not in text.replace('<script type="module"', "")


@pytest.mark.django_db
def test_an_empty_catalog_says_so(client: Client) -> None:
    assert "No course is open for enrollment today" in page(client, "/")


def test_the_second_page_keeps_the_search(client: Client, teacher: Teacher) -> None:
    for number in range(30):
        Course.objects.create(title=f"Cello {number:02}", slug=f"cello-{number}")
    first, second = page(client, "/?q=cello"), page(client, "/?q=cello&page=2")
    assert "?q=cello&amp;page=2" in first
    assert "Page 1 of 2" in first
    assert "Cello 00" in first
    assert "Cello 29" in second


def test_the_catalog_asks_few_questions(
    client: Client, student: Student, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        teacher = make_teacher(f"teacher{number}@school.example")
        Course.objects.create(title=f"Course {number}", slug=f"c{number}").teachers.add(teacher)
    logged_in(client, student)
    # Two for who it is, four for the navigation, three for the list.
    with django_assert_max_num_queries(9):
        page(client, "/")


# ---------------------------------------------------------------- course


def test_a_course_names_its_teachers_and_invites_everybody(client: Client, course: Course) -> None:
    Teacher.objects.update(bio="Plays since 1990.\nLikes Bartók.")
    text = page(client, "/courses/violin/")
    assert "Plays since 1990.<br>Likes Bartók." in text
    assert "/courses/violin/enroll/" in text
    assert "asked to log in" in text


def test_a_full_course_says_so_instead_of_inviting(
    client: Client, course: Course, enrollment: Enrollment
) -> None:
    Course.objects.update(capacity=1)
    text = page(client, "/courses/violin/")
    assert "All places are taken" in text
    assert "/enroll/" not in text


def test_a_closed_course_says_so_instead_of_inviting(client: Client, course: Course) -> None:
    Course.objects.update(closes_on=timezone.localdate() - timedelta(days=1))
    text = page(client, "/courses/violin/")
    assert "closed today" in text
    assert "/enroll/" not in text


def test_an_enrolled_student_is_led_to_the_enrollment(
    client: Client, student: Student, enrollment: Enrollment
) -> None:
    text = page(logged_in(client, student), "/courses/violin/")
    assert "You are enrolled" in text
    assert f"/enrollments/{enrollment.pk}/" in text


# ---------------------------------------------------------------- enrolling


def test_who_is_not_logged_in_comes_back_after_the_login(client: Client, course: Course) -> None:
    response = client.get("/courses/violin/enroll/")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/courses/violin/enroll/"


def test_the_form_keeps_what_was_typed_and_names_the_error_at_its_field(
    client: Client, student: Student, course: Course
) -> None:
    other = make_teacher("other@school.example")
    response = logged_in(client, student).post(
        "/courses/violin/enroll/", {"teacher": other.pk, "wished_times": "Sunday at noon"}
    )
    text = response.content.decode()
    assert response.status_code == 422
    assert "Sunday at noon</textarea>" in text
    assert 'aria-invalid="true"' in text
    assert 'id="id_teacher_error"' in text
    assert 'aria-describedby="id_teacher_error"' in text
    assert '<a href="#id_teacher">' in text
    assert "Error:" in text.split("</title>")[0]
    assert not Enrollment.objects.exists()


def test_a_refused_enrollment_keeps_what_was_typed(
    client: Client, student: Student, course: Course
) -> None:
    Course.objects.update(capacity=1)
    Enrollment.objects.create(student=make_student("first@school.example"), course=course)
    response = logged_in(client, student).post(
        "/courses/violin/enroll/", {"note": "We met at the concert."}
    )
    text = response.content.decode()
    assert response.status_code == 422
    assert "last place in this course has just been taken" in text
    assert "We met at the concert.</textarea>" in text


def saved(client: Client, course: Course) -> str:
    """What the form begins with on another device."""
    phone = Client()
    phone.cookies = client.cookies
    return page(phone, f"/courses/{course.slug}/enroll/")


def test_what_was_refused_is_saved_without_javascript_too(
    client: Client, student: Student, course: Course
) -> None:
    Course.objects.update(capacity=0)
    typed = {"teacher": "", "wished_times": "Fridays", "note": "We met at the concert."}
    assert logged_in(client, student).post("/courses/violin/enroll/", typed).status_code == 422
    text = saved(client, course)
    assert "We met at the concert.</textarea>" in text
    assert "Fridays</textarea>" in text


def test_a_wrong_form_is_saved_without_javascript_too(
    client: Client, student: Student, course: Course
) -> None:
    other = make_teacher("other@school.example")
    typed = {"teacher": other.pk, "note": "x" * 4001}
    response = logged_in(client, student).post("/courses/violin/enroll/", typed)
    assert response.status_code == 422
    assert "x" * 4001 in saved(client, course)


def test_without_anybody_who_keeps_drafts_the_form_works_all_the_same(
    client: Client, student: Student, course: Course
) -> None:
    Course.objects.update(capacity=0)
    with patch("enrollment.sockets._keeper", KeepsNothing()):
        response = logged_in(client, student).post("/courses/violin/enroll/", {"note": "Hello."})
        assert response.status_code == 422
        assert "Hello.</textarea>" in response.content.decode()
        assert "Hello." not in saved(client, course)


def test_who_was_logged_out_is_told_and_comes_back(
    client: Client, student: Student, course: Course
) -> None:
    response = client.post("/courses/violin/enroll/", {"note": "Hello."}, follow=True)
    assert response.redirect_chain == [("/accounts/login/?next=/courses/violin/enroll/", 302)]
    assert "You were logged out, so the last page could not be saved." in response.content.decode()
    login = {"login": "ada@school.example", "password": "correct horse"}
    back = client.post("/accounts/login/", login | {"next": "/courses/violin/enroll/"})
    assert back["Location"] == "/courses/violin/enroll/"
    assert "You were logged out" not in page(client, "/courses/violin/enroll/")


def test_whoever_only_looks_is_asked_to_log_in_without_a_warning(
    client: Client, course: Course
) -> None:
    response = client.get("/courses/violin/enroll/", follow=True)
    assert "You were logged out" not in response.content.decode()


def test_enrolling_shows_what_happens_next(
    client: Client, student: Student, course: Course
) -> None:
    response = logged_in(client, student).post(
        "/courses/violin/enroll/", {"wished_times": "Mondays"}, follow=True
    )
    text = response.content.decode()
    assert "What happens next" in text
    assert "at the times you wished for" in text
    assert "ada@school.example" in text


def test_a_teacher_is_told_that_only_students_enroll(
    client: Client, teacher: Teacher, course: Course
) -> None:
    text = page(logged_in(client, teacher), "/courses/violin/enroll/", status=403)
    assert "Only students can enroll" in text


def test_what_was_kept_is_said_in_its_own_words_and_saved_on_the_students_clock(
    course: Course,
) -> None:
    student = make_student("mei@school.example", zone="Asia/Tokyo")
    beginning = Beginning(
        notices=("Technical update in progress.",),
        saved_at=datetime(2031, 1, 1, 5, 2, tzinfo=UTC),
        autosave_url="/drafts/violin/",
    )
    context = {"course": course, "beginning": beginning, "user": student.user}
    text = render_to_string("enrollment/enroll.html", context)
    assert 'role="status">Technical update in progress.</div>' in " ".join(text.split())
    assert 'data-autosave="/drafts/violin/"' in text
    assert "Saved 14:02" in text


def test_a_form_that_is_saved_nowhere_does_not_pretend_to_be(
    student: Student, course: Course
) -> None:
    context = {"course": course, "beginning": Beginning(), "user": student.user}
    text = render_to_string("enrollment/enroll.html", context)
    assert "data-autosave" not in text
    assert "data-save-state" not in text


# ---------------------------------------------------------------- one's own


def test_an_enrollment_shows_what_was_said_and_when_the_lessons_are(
    client: Client, student: Student, teacher: Teacher, enrollment: Enrollment
) -> None:
    plan(enrollment, teacher, NOON)
    text = page(logged_in(client, student), f"/enrollments/{enrollment.pk}/")
    assert "Mondays<br>after 16:00" in text
    assert "&lt;b&gt;I have played before.&lt;/b&gt;" in text
    assert "Wednesday 15 January 2031" in text
    assert "12:00–12:45" in text
    assert "Europe/Berlin" in text
    assert "agreed:" not in text


def test_somebody_elses_enrollment_does_not_exist(client: Client, enrollment: Enrollment) -> None:
    other = make_student("other@school.example")
    page(logged_in(client, other), f"/enrollments/{enrollment.pk}/", status=404)


def test_my_courses_show_both_clocks_where_they_differ(
    client: Client, student: Student, enrollment: Enrollment
) -> None:
    teacher = make_teacher("meera@school.example", zone="Asia/Kolkata")
    plan(enrollment, teacher, NOON, NOON + timedelta(hours=9))
    text = page(logged_in(client, student), "/my/courses/")
    assert "12:00–12:45" in text
    assert "(agreed: 16:30, Asia/Kolkata)" in text
    # Half past one at night in India is still the evening before in Berlin.
    assert "21:00–21:45" in text
    assert "(agreed: Thursday 16 January 2031, 01:30, Asia/Kolkata)" in text


def test_past_and_far_lessons_are_folded(
    client: Client, student: Student, teacher: Teacher, enrollment: Enrollment
) -> None:
    past = datetime(2024, 1, 10, 11, 0, tzinfo=UTC)
    plan(enrollment, teacher, past, *(NOON + timedelta(days=7 * week) for week in range(7)))
    text = page(logged_in(client, student), "/my/courses/")
    assert "1 past lesson" in text
    assert "2 later lessons" in text
    assert text.count('class="past"') == 1


def test_my_courses_without_any_lead_to_the_catalog(client: Client, student: Student) -> None:
    assert "You are not enrolled yet" in page(logged_in(client, student), "/my/courses/")


def test_my_courses_ask_few_questions(
    client: Client, student: Student, teacher: Teacher, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        course = Course.objects.create(title=f"Course {number}", slug=f"c{number}")
        enrollment = Enrollment.objects.create(student=student, course=course)
        plan(enrollment, teacher, *(NOON + timedelta(days=n, hours=number) for n in range(5)))
    logged_in(client, student)
    with django_assert_max_num_queries(10):
        page(client, "/my/courses/")


def test_a_teacher_sees_the_lessons_by_day_on_their_own_clock(
    client: Client, enrollment: Enrollment
) -> None:
    teacher = make_teacher("meera@school.example", zone="Asia/Kolkata")
    plan(enrollment, teacher, NOON, NOON + timedelta(hours=9))
    text = page(logged_in(client, teacher), "/my/lessons/")
    assert "Wednesday 15 January 2031" in text
    assert "Thursday 16 January 2031" in text
    assert "16:30" in text
    assert "Ada Vogel" in text


def test_my_lessons_without_any_say_so(client: Client, teacher: Teacher) -> None:
    assert "No lesson is planned" in page(logged_in(client, teacher), "/my/lessons/")


def test_each_is_sent_home_and_away_from_others_pages(
    client: Client, student: Student, teacher: Teacher
) -> None:
    logged_in(client, student)
    assert client.get("/home/")["Location"] == "/my/courses/"
    assert client.get("/my/lessons/")["Location"] == "/home/"
    logged_in(client, teacher)
    assert client.get("/home/")["Location"] == "/my/lessons/"
    assert client.get("/my/courses/")["Location"] == "/home/"


# ---------------------------------------------------------------- frame


def test_the_navigation_fits_the_visitor(
    client: Client, student: Student, teacher: Teacher, staff: Any
) -> None:
    text = page(client, "/")
    assert "Log in" in text
    assert "Sign up" in text
    assert "My courses" not in text
    text = page(logged_in(client, student), "/my/courses/")
    assert 'href="/my/courses/" aria-current="page"' in text
    assert "My lessons" not in text
    assert "Office" not in text
    assert "My lessons" in page(logged_in(client, teacher), "/")
    client.force_login(staff)
    assert "Office" in page(client, "/")


def test_every_page_has_a_language_a_skip_link_and_no_inline_code(
    client: Client, course: Course
) -> None:
    for url in ("/", "/courses/violin/", "/accounts/login/", "/accounts/signup/"):
        text = page(client, url)
        assert '<html lang="en" dir="ltr">' in text
        assert 'href="#main"' in text
        assert "style=" not in text
        assert "<script>" not in text


def test_the_language_can_be_changed(client: Client, course: Course) -> None:
    response = client.post("/i18n/setlang/", {"language": "de", "next": "/"}, follow=True)
    text = response.content.decode()
    assert '<html lang="de" dir="ltr">' in " ".join(text.split())
    assert "Finden Sie Ihren Kurs" in text


@pytest.mark.django_db
def test_a_missing_page_stays_in_the_house(client: Client) -> None:
    text = page(client, "/nowhere/", status=404)
    assert "This page does not exist" in text
    assert "All courses" in text


def test_the_page_for_our_own_faults_needs_nothing() -> None:
    text = render_to_string("500.html")
    assert "Something went wrong here" in text
    assert "school.css" in text


# ---------------------------------------------------------------- mail


def test_the_confirmation_names_course_lesson_both_clocks_and_address(
    enrollment: Enrollment,
) -> None:
    teacher = make_teacher("meera@school.example", zone="Asia/Kolkata")
    plan(enrollment, teacher, NOON)
    confirmation(enrollment).send()
    (sent,) = mail.outbox
    assert isinstance(sent, mail.EmailMultiAlternatives)
    html = sent.alternatives[0][0]
    assert sent.to == ["ada@school.example"]
    for body in (str(sent.body), str(html)):
        assert "Violin for beginners" in body
        assert "Wednesday 15 January 2031, 12:00–12:45" in body
        assert "(Europe/Berlin)" in body
        assert "16:30, Asia/Kolkata)" in body
        assert f"/enrollments/{enrollment.pk}/" in body
        assert "the other times you wished for" in body


def test_the_confirmation_without_lessons_says_who_is_next(enrollment: Enrollment) -> None:
    assert "answers you by mail" in str(confirmation(enrollment).body)
    enrollment.wished_times = ""
    assert "finds a time with you" in str(confirmation(enrollment).body)


def test_a_teachers_earlier_lessons_are_all_within_reach(
    client: Client, teacher: Teacher, course: Course, student: Student
) -> None:
    now = datetime.now(UTC)
    client.force_login(teacher.user)
    for weeks, status in ((-60, "done"), (-2, "cancelled"), (-1, "held"), (1, "planned")):
        starts = now + timedelta(weeks=weeks)
        Lesson.objects.create(
            course=course,
            teacher=teacher,
            student=student,
            period=(starts, starts + timedelta(minutes=45)),
            local_on=starts.date(),
            local_start=starts.time(),
            zone=teacher.zone,
            status=status,
            expires_at=starts if status == "held" else None,
        )
    page = client.get("/my/lessons/")
    assert 'href="/my/lessons/?earlier=yes"' in page.content.decode()
    earlier = client.get("/my/lessons/?earlier=yes")
    assert [one.status for one in earlier.context["page"]] == ["cancelled", "done"]
    assert "Ada Vogel" in earlier.content.decode()
