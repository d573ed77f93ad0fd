"""Who is enrolling keeps the feature beyond its share, and not for ever; and whom a step concerns."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from enrollment.models import Course, Lesson, Student, Teacher, User
from rollback import blast, draining, exposure, plans, runner, switchboard
from rollback.blast import Blast
from rollback.domain.shares import BUCKETS, FlagState, Snapshot, Subject, Why, bucket_of
from rollback.models import Draining, EnrollmentDraft, Plan, Switchboard
from rollback.runner import Actor
from tests.conftest import make_student, make_user

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")
STEPS = ((Decimal(50), 0), (Decimal(0), 0))


def begin(*, steps: Any = STEPS, flags: Any = (MASTER, CALENDAR), **options: Any) -> Plan:
    usual = {"direction": "down", "mode": "drain", "actor": ACTOR, "reason": "too slow"}
    made: Plan = plans.start(**{**usual, **options}, flags=flags, steps=steps)
    return made


def advance() -> int:
    return plans.advance_due(by="a runner")


def is_on(who: Student, flag: str = CALENDAR) -> bool:
    """As any process would answer that reads now."""
    return switchboard.read_here().is_on(flag, switchboard.subject_of(who.user))


def draft(student: Student, course: Course, *, ago: timedelta = timedelta(0)) -> EnrollmentDraft:
    saved: EnrollmentDraft = EnrollmentDraft.objects.create(
        student=student, course=course, saved_at=timezone.now() - ago
    )
    return saved


def hold(student: Student, course: Course, teacher: Teacher, *, until: datetime) -> Lesson:
    begins = timezone.now() + timedelta(days=7 + Lesson.objects.count())
    made: Lesson = Lesson.objects.create(
        course=course,
        teacher=teacher,
        student=student,
        period=TimestamptzRange(begins, begins + timedelta(minutes=45)),
        local_on=begins.date(),
        local_start=begins.time(),
        zone="UTC",
        status="held",
        expires_at=until,
    )
    return made


@pytest.fixture
def all_on(flag_rows: None) -> None:
    for name in (MASTER, CALENDAR):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="a test begins")


@pytest.fixture
def enrolling(all_on: None, student: Student, course: Course) -> Student:
    draft(student, course)
    return student


class TestDrain:
    def test_who_is_enrolling_keeps_it_at_zero_until_they_have_finished(
        self, enrolling: Student
    ) -> None:
        other = make_student("bert@school.example")
        plan = begin(steps=((Decimal(0), 0),))
        assert (is_on(enrolling), is_on(enrolling, MASTER), is_on(other)) == (True, True, False)
        assert switchboard.read_here().explain(
            CALENDAR, switchboard.subject_of(enrolling.user)
        ).why == (Why.DRAINING)
        assert (advance(), plan.state) == (0, "running"), "it waits for them"
        EnrollmentDraft.objects.update(finished_at=timezone.now())
        advance()
        plan.refresh_from_db()
        assert (is_on(enrolling), plan.state) == (False, "done")
        assert plan.steps.filter(drained_at=None).count() == 0

    def test_who_has_given_up_is_not_waited_for(self, enrolling: Student) -> None:
        begin(steps=((Decimal(0), 0),))
        EnrollmentDraft.objects.update(saved_at=timezone.now() - timedelta(minutes=31))
        advance()
        assert not is_on(enrolling)
        assert not Draining.objects.exists()

    def test_a_time_held_counts_as_enrolling(
        self, all_on: None, student: Student, course: Course, teacher: Teacher
    ) -> None:
        held = hold(student, course, teacher, until=timezone.now() + timedelta(minutes=10))
        begin(steps=((Decimal(0), 0),))
        assert is_on(student)
        Lesson.objects.filter(pk=held.pk).update(expires_at=timezone.now())
        advance()
        assert not is_on(student)

    @pytest.mark.parametrize("what", ["old draft", "finished", "set aside", "hold over"])
    def test_who_is_not_enrolling(
        self, what: str, all_on: None, student: Student, course: Course, teacher: Teacher
    ) -> None:
        now = timezone.now()
        if what == "hold over":
            hold(student, course, teacher, until=now)
        elif what == "old draft":
            draft(student, course, ago=timedelta(minutes=31))
        else:
            over = {"finished": "finished_at", "set aside": "quarantined_at"}[what]
            fields = {over: now} | ({"problem": "not text"} if what == "set aside" else {})
            draft(student, course)
            EnrollmentDraft.objects.update(**fields)
        begin(steps=((Decimal(0), 0),))
        assert not is_on(student)

    def test_in_kill_mode_nobody_is_waited_for(self, enrolling: Student) -> None:
        plan = begin(steps=((Decimal(0), 0),), mode="kill")
        assert (is_on(enrolling), plan.state) == (False, "done")

    def test_a_kill_beats_it_and_lets_nobody_go_on_afterwards(self, enrolling: Student) -> None:
        begin()
        runner.kill(actor=ACTOR, reason="broken")
        assert not is_on(enrolling)
        advance()
        assert not Draining.objects.exists()

    def test_a_child_never_without_its_master(self, enrolling: Student) -> None:
        """Only the calendar goes down in steps; the master is taken away by hand meanwhile."""
        begin(flags=[CALENDAR], steps=((Decimal(0), 0),))
        assert (is_on(enrolling), is_on(enrolling, MASTER)) == (True, True)
        runner.set_share(flag=MASTER, percent=Decimal(0), actor=ACTOR, reason="by hand")
        assert (is_on(enrolling), is_on(enrolling, MASTER)) == (False, False)

    def test_only_the_master_goes_and_its_children_stay_with_who_drains(
        self, enrolling: Student
    ) -> None:
        begin(flags=[MASTER], steps=((Decimal(0), 0),))
        assert (is_on(enrolling), is_on(enrolling, MASTER)) == (True, True)

    def test_nobody_gets_what_they_did_not_have(self, enrolling: Student) -> None:
        runner.set_share(flag=CALENDAR, percent=Decimal(0), actor=ACTOR, reason="a test")
        begin(steps=((Decimal(0), 0),))
        assert (is_on(enrolling), is_on(enrolling, MASTER)) == (False, True)

    def test_a_later_step_gives_nobody_more_time(self, enrolling: Student) -> None:
        begin(steps=((Decimal("0.01"), 0), (Decimal(0), 0)), drain_seconds=100)
        first = dict(Draining.objects.values_list("flag_name", "until"))
        assert len(first) == 2
        advance()
        assert dict(Draining.objects.values_list("flag_name", "until")) == first

    def test_finished_at_once_it_waits_for_nobody(self, enrolling: Student) -> None:
        plan = begin(steps=((Decimal(50), 0), (Decimal(0), 300)))
        plans.finish(plan=plan.pk, actor=ACTOR, reason="enough")
        assert not is_on(enrolling)
        plan.refresh_from_db()
        assert (plan.state, plan.mode) == ("done", "drain")

    def test_sweeping_with_nothing_to_sweep_wakes_nobody(self, enrolling: Student) -> None:
        begin(steps=((Decimal(0), 0),))
        version = Switchboard.objects.get().version
        assert draining.sweep(now=timezone.now()) == 0
        advance()
        assert Switchboard.objects.get().version == version

    def test_without_a_step_that_said_who_acts_nobody_can_be_let_stay(
        self, enrolling: Student
    ) -> None:
        until = timezone.now() + timedelta(days=1)
        with pytest.raises(IntegrityError, match="decided by a step"), transaction.atomic():
            Draining.objects.create(flag_name=CALENDAR, user=enrolling.user, until=until)

    def test_in_words(self, enrolling: Student) -> None:
        begin(steps=((Decimal(0), 0),))
        answer = switchboard.read_here().explain(CALENDAR, switchboard.subject_of(enrolling.user))
        assert "until the enrollment" in exposure.in_words(answer)


def test_the_deadline_ends_it_in_every_process_though_no_runner_lives(
    real_switchboard: Any,
) -> None:
    for name in (MASTER, CALENDAR):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="a test begins")
    student = make_student()
    draft(student, Course.objects.create(title="Violin", slug="violin", lesson_minutes=45))
    begin(steps=((Decimal(0), 0),), drain_seconds=2)
    begun = time.monotonic()
    assert switchboard.is_on(CALENDAR, student.user)
    while switchboard.is_on(CALENDAR, student.user):
        assert time.monotonic() - begun < 10
        time.sleep(0.02)
    assert time.monotonic() - begun > 1.5
    assert Draining.objects.count() == 2, "nobody has taken the rows away"


class TestRule:
    """The pure rule: what draining may and may not do."""

    STATE = FlagState(name="A", share=0, draining=frozenset({7}))

    def test_it_is_for_users_alone(self) -> None:
        nobody, visitor = Subject(key=""), Subject(key="a:7")
        assert not self.STATE.on_for(nobody, BUCKETS)
        assert not self.STATE.on_for(visitor, 0)
        assert self.STATE.on_for(Subject(key="u:7", user_id=7), 0)

    def test_killed_is_killed(self) -> None:
        killed = FlagState(name="A", share=5000, killed=True, draining=frozenset({7}))
        assert not killed.on_for(Subject(key="u:7", user_id=7), 9000)
        assert killed.why_for(Subject(key="u:7", user_id=7), 9000) == Why.KILLED
        assert not killed.reaches_somebody()

    def test_work_of_nobody_goes_on_for_who_drains(self) -> None:
        assert self.STATE.reaches_somebody()
        with switchboard.board.pinned(Snapshot(version=1, flags={"A": self.STATE})):
            assert switchboard.is_on_for_anyone("A")

    def test_early_is_said_before_draining(self) -> None:
        state = FlagState(name="A", share=1, users=frozenset({7}), draining=frozenset({7}))
        assert state.why_for(Subject(key="u:7", user_id=7), 9000) == Why.EARLY


class TestBlast:
    @pytest.fixture
    def crowd(self, all_on: None) -> list[User]:
        return [make_user(f"p{number}@school.example") for number in range(200)]

    def ask(self, percent: int, flags: Any = (MASTER,), **options: Any) -> Blast:
        return blast.blast(flags=flags, percent=Decimal(percent), now=timezone.now(), **options)

    def test_those_between_the_shares_and_nobody_else(self, crowd: list[User]) -> None:
        runner.set_share(flag=MASTER, percent=Decimal(60), actor=ACTOR, reason="a test")
        salt = switchboard.read_here().salt
        buckets = {user.pk: bucket_of(salt, f"u:{user.pk}") for user in crowd}
        wanted = {pk for pk, bucket in buckets.items() if 2500 <= bucket < 6000}
        found = self.ask(25)
        assert found.people == wanted
        assert (found.users, found.mails) == (len(wanted), len(wanted))
        assert 0 < len(wanted) < 200
        assert self.ask(60).users == self.ask(80).users == 0

    def test_what_they_are_doing(self, crowd: list[User], course: Course, teacher: Teacher) -> None:
        now = timezone.now()
        one, two, three = (Student.objects.create(user=user, zone="UTC") for user in crowd[:3])
        draft(one, course)
        draft(two, course, ago=timedelta(days=3))
        other = Course.objects.create(title="Cello", slug="cello", lesson_minutes=45)
        hold(three, course, teacher, until=now + timedelta(minutes=5))
        hold(three, other, teacher, until=now + timedelta(minutes=5))
        hold(two, course, teacher, until=now - timedelta(minutes=5))
        User.objects.filter(pk=crowd[-1].pk).update(is_active=False)
        found = self.ask(0, flags=())
        assert (found.users, found.drafts, found.teachers, found.holds) == (200, 2, 1, 2)
        assert found.middle == {one.user_id, three.user_id}
        assert found.numbers()["enrolling"] == 2

    def test_early_users_lose_it_at_zero_only(self, crowd: list[User]) -> None:
        runner.set_early(
            flag=MASTER, staff=False, superusers=False, users=crowd[:5], actor=ACTOR, reason="x"
        )
        early = {user.pk for user in crowd[:5]}
        assert not self.ask(1).people & early
        assert self.ask(0).people >= early

    def test_a_master_takes_its_children_along_and_a_killed_one_concerns_nobody(
        self, crowd: list[User]
    ) -> None:
        assert self.ask(0, flags=[MASTER]).users == 200
        runner.kill(flag=MASTER, actor=ACTOR, reason="broken")
        assert self.ask(0, flags=[MASTER]).users == 0
        assert self.ask(0, flags=[CALENDAR]).users == 0

    def test_up_are_those_who_would_get_it(self, crowd: list[User]) -> None:
        runner.kill(flag=MASTER, actor=ACTOR, reason="broken")
        found = self.ask(25, up=True)
        salt = switchboard.read_here().salt
        assert found.people == {user.pk for user in crowd if bucket_of(salt, f"u:{user.pk}") < 2500}

    def test_five_queries_at_five_thousand_users(
        self, all_on: None, django_assert_num_queries: Any
    ) -> None:
        User.objects.bulk_create(User(email=f"n{number}@school.example") for number in range(5000))
        with django_assert_num_queries(5):
            found = self.ask(25)
        assert 3500 < found.users < 4000

    def test_nothing_is_changed_by_looking(self, crowd: list[User]) -> None:
        version = Switchboard.objects.get().version
        self.ask(0)
        assert Switchboard.objects.get().version == version
        assert not Draining.objects.exists()
