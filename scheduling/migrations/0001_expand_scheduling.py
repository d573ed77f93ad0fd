"""Teachers' hours, time off, what may be booked, who waits, calendar addresses. Undoing loses nothing: the
tables wait in the archive. Lessons are the ground floor's and stay where they are.
"""

import datetime

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import scheduling.models.rules
from rollback.schema.operations import ArchivingCreateModel


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("enrollment", "0010_expand_cancelled_lessons"),
        ("rollback", "0023_expand_archive"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        ArchivingCreateModel(
            name="CalendarFeed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("name", models.CharField(blank=True, max_length=60, verbose_name="name")),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("last_read_on", models.DateField(blank=True, null=True, verbose_name="last read")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="calendar_feeds",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "calendar feed",
                "verbose_name_plural": "calendar feeds",
                "ordering": ["-created_at", "-pk"],
            },
            db_on_delete={"user": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="AvailabilityException",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day_on", models.DateField(verbose_name="date")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("replace", "Instead of the weekly hours"),
                            ("add", "Besides the weekly hours"),
                        ],
                        default="replace",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "starts",
                    models.TimeField(
                        blank=True,
                        help_text="Leave both times empty for a day without hours.",
                        null=True,
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="from",
                    ),
                ),
                (
                    "ends",
                    models.TimeField(
                        blank=True,
                        help_text="00:00 is the end of the day.",
                        null=True,
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="to",
                    ),
                ),
                (
                    "ends_next_day",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="For hours that go on past midnight.",
                        verbose_name="ends on the next day",
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True,
                        help_text="Only you and the office read it.",
                        max_length=200,
                        verbose_name="note",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="availability_exceptions",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "different hours on a date",
                "verbose_name_plural": "different hours on a date",
                "ordering": ["teacher", "day_on", "starts", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ends__isnull", False),
                                ("starts__isnull", False),
                                models.Q(
                                    models.Q(
                                        ("ends_next_day", False),
                                        models.Q(
                                            ("ends__gt", models.F("starts")),
                                            ("ends", datetime.time(0, 0)),
                                            _connector="OR",
                                        ),
                                    ),
                                    models.Q(
                                        ("ends_next_day", True), ("ends__lte", models.F("starts"))
                                    ),
                                    _connector="OR",
                                ),
                            ),
                            models.Q(
                                ("ends__isnull", True),
                                ("ends_next_day", False),
                                ("kind", "replace"),
                                ("starts__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="exception_hours_sound",
                        violation_error_message="Hours end later than they begin.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("teacher", "="),
                            ("day_on", "="),
                            (
                                models.Case(
                                    models.When(
                                        models.Q(("starts__isnull", False)),
                                        then=models.Func(
                                            django.db.models.functions.comparison.Cast(
                                                django.db.models.functions.datetime.Extract(
                                                    "starts", "epoch"
                                                ),
                                                models.IntegerField(),
                                            ),
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.functions.comparison.Cast(
                                                    django.db.models.functions.datetime.Extract(
                                                        "ends", "epoch"
                                                    ),
                                                    models.IntegerField(),
                                                ),
                                                "+",
                                                models.Case(
                                                    models.When(
                                                        models.Q(
                                                            ("ends_next_day", True),
                                                            ("ends", datetime.time(0, 0)),
                                                            _connector="OR",
                                                        ),
                                                        then=models.Value(86400),
                                                    ),
                                                    default=models.Value(0),
                                                ),
                                            ),
                                            function="int4range",
                                            output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                        ),
                                    ),
                                    output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="exception_once",
                        violation_error_message="These hours overlap other hours of this date.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("starts__isnull", True)),
                        fields=("teacher", "day_on"),
                        name="exception_empty_once",
                        violation_error_message="This date has no hours already.",
                    ),
                ],
            },
            db_on_delete={"teacher": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="AvailabilityRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                (
                    "starts",
                    models.TimeField(
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="from",
                    ),
                ),
                (
                    "ends",
                    models.TimeField(
                        help_text="00:00 is the end of the day.",
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="to",
                    ),
                ),
                (
                    "ends_next_day",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="For hours that go on past midnight.",
                        verbose_name="ends on the next day",
                    ),
                ),
                (
                    "every_weeks",
                    models.PositiveSmallIntegerField(
                        db_default=1,
                        default=1,
                        help_text="1 is every week, 2 every other week, counted from the week of the first day.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(52),
                        ],
                        verbose_name="every so many weeks",
                    ),
                ),
                (
                    "valid_from",
                    models.DateField(
                        blank=True,
                        help_text="Counted in; empty: from always.",
                        null=True,
                        verbose_name="first day",
                    ),
                ),
                (
                    "valid_until",
                    models.DateField(
                        blank=True,
                        help_text="Counted in; empty: without end.",
                        null=True,
                        verbose_name="last day",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="availability_rules",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "weekly hours",
                "verbose_name_plural": "weekly hours",
                "ordering": ["teacher", "weekday", "starts", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("weekday__gte", 0), ("weekday__lte", 6)),
                        name="availability_weekday",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ends_next_day", False),
                                models.Q(
                                    ("ends__gt", models.F("starts")),
                                    ("ends", datetime.time(0, 0)),
                                    _connector="OR",
                                ),
                            ),
                            models.Q(("ends_next_day", True), ("ends__lte", models.F("starts"))),
                            _connector="OR",
                        ),
                        name="availability_ends_later",
                        violation_error_message="Hours end later than they begin.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until__gte", models.F("valid_from")),
                            ("valid_from__isnull", True),
                            ("valid_until__isnull", True),
                            _connector="OR",
                        ),
                        name="availability_valid_days",
                        violation_error_message="The last day is not before the first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("every_weeks", 1),
                            models.Q(
                                ("every_weeks__gt", 1),
                                ("every_weeks__lte", 52),
                                ("valid_from__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="availability_every_weeks",
                        violation_error_message="Say from which day on: the weeks are counted from it.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("teacher", "="),
                            (
                                models.Case(
                                    models.When(
                                        models.Q(("every_weeks", 1)),
                                        then=models.Func(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    models.F("weekday"), "*", models.Value(86400)
                                                ),
                                                "+",
                                                django.db.models.functions.comparison.Cast(
                                                    django.db.models.functions.datetime.Extract(
                                                        "starts", "epoch"
                                                    ),
                                                    models.IntegerField(),
                                                ),
                                            ),
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    models.F("weekday"), "*", models.Value(86400)
                                                ),
                                                "+",
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.functions.comparison.Cast(
                                                        django.db.models.functions.datetime.Extract(
                                                            "ends", "epoch"
                                                        ),
                                                        models.IntegerField(),
                                                    ),
                                                    "+",
                                                    models.Case(
                                                        models.When(
                                                            models.Q(
                                                                ("ends_next_day", True),
                                                                ("ends", datetime.time(0, 0)),
                                                                _connector="OR",
                                                            ),
                                                            then=models.Value(86400),
                                                        ),
                                                        default=models.Value(0),
                                                    ),
                                                ),
                                            ),
                                            function="int4range",
                                            output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                        ),
                                    ),
                                    output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                ),
                                "&&",
                            ),
                            (
                                models.Func(
                                    models.F("valid_from"),
                                    models.F("valid_until"),
                                    models.Value("[]"),
                                    function="daterange",
                                    output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="availability_once",
                        violation_error_message="These hours overlap other hours of this teacher.",
                    ),
                ],
            },
            db_on_delete={"teacher": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="BookingPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "lesson_minutes",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty everywhere: the course's own length.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(480),
                        ],
                        verbose_name="lesson length in minutes",
                    ),
                ),
                (
                    "step_minutes",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty everywhere: the lesson's length.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(480),
                        ],
                        verbose_name="minutes from one start to the next",
                    ),
                ),
                (
                    "buffer_before",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(240),
                        ],
                        verbose_name="minutes kept free before a lesson",
                    ),
                ),
                (
                    "buffer_after",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(240),
                        ],
                        verbose_name="minutes kept free after a lesson",
                    ),
                ),
                (
                    "notice_minutes",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="1440 is a day before.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(30000),
                        ],
                        verbose_name="latest booking, minutes before the start",
                    ),
                ),
                (
                    "horizon_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="The last day is so many days after today.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(366),
                        ],
                        verbose_name="bookable days ahead",
                    ),
                ),
                (
                    "most_a_day",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="most lessons a day",
                    ),
                ),
                (
                    "most_a_week",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="From Monday to Sunday.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                        verbose_name="most lessons a week",
                    ),
                ),
                (
                    "cancel_notice_hours",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(720),
                        ],
                        verbose_name="latest cancellation, hours before the start",
                    ),
                ),
                (
                    "move_notice_hours",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(720),
                        ],
                        verbose_name="latest move, hours before the start",
                    ),
                ),
                (
                    "automatic_moves",
                    models.BooleanField(
                        blank=True,
                        help_text="When the school changes hours: to the nearest free time of the same teacher in the same week.",
                        null=True,
                        verbose_name="lessons may be moved by themselves",
                    ),
                ),
                (
                    "course",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for every course.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="booking_policies",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for every teacher.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="booking_policies",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "booking policy",
                "verbose_name_plural": "booking policies",
                "ordering": ["course__title", "teacher__display_name", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("course", "teacher"),
                        name="booking_policy_once",
                        nulls_distinct=False,
                        violation_error_message="There is a policy for these already. Change that one.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lesson_minutes__isnull", True),
                                ("lesson_minutes__range", (5, 480)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("step_minutes__isnull", True),
                                ("step_minutes__range", (5, 480)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("buffer_before__isnull", True),
                                ("buffer_before__lte", 240),
                                _connector="OR",
                            ),
                            models.Q(
                                ("buffer_after__isnull", True),
                                ("buffer_after__lte", 240),
                                _connector="OR",
                            ),
                            models.Q(
                                ("horizon_days__isnull", True),
                                ("horizon_days__range", (1, 366)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("most_a_day__isnull", True),
                                ("most_a_day__gte", 1),
                                _connector="OR",
                            ),
                            models.Q(
                                ("most_a_week__isnull", True),
                                ("most_a_week__gte", 1),
                                _connector="OR",
                            ),
                        ),
                        name="booking_policy_sane",
                    ),
                ],
            },
            db_on_delete={"course": "CASCADE", "teacher": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=255, verbose_name="key")),
                ("fingerprint", models.CharField(max_length=64, verbose_name="fingerprint")),
                (
                    "status",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="status"),
                ),
                ("answer", models.JSONField(blank=True, null=True, verbose_name="answer")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "request of a program",
                "verbose_name_plural": "requests of programs",
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["created_at"], name="idempotency_key_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "key"), name="idempotency_key_once")
                ],
            },
            db_on_delete={"user": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="TeacherReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "week_on",
                    models.DateField(help_text="The Monday of the week.", verbose_name="week"),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="hours_reminders",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
                "verbose_name_plural": "reminders",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("teacher", "week_on"), name="teacher_reminded_once"
                    )
                ],
            },
            db_on_delete={"teacher": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="TimeOff",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "period",
                    django.contrib.postgres.fields.ranges.DateTimeRangeField(verbose_name="period"),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        help_text="Only you and the office read it. Students read that you are away.",
                        max_length=200,
                        verbose_name="reason",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="time_off",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "time off",
                "verbose_name_plural": "time off",
                "ordering": ["period", "pk"],
                "indexes": [
                    django.contrib.postgres.indexes.GistIndex(
                        fields=["teacher", "period"], name="time_off_of_teacher"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("period__isempty", False),
                            ("period__lower_inc", True),
                            ("period__lower_inf", False),
                            ("period__upper_inc", False),
                            ("period__upper_inf", False),
                        ),
                        name="time_off_period_finite",
                        violation_error_message="Time off begins, and ends later.",
                    )
                ],
            },
            db_on_delete={"teacher": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="WaitlistEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="time")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("offered", "Offered"),
                            ("taken", "Taken"),
                            ("expired", "Expired"),
                            ("left", "Left"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="waiting since")),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="over since"),
                ),
                ("offered_at", models.DateTimeField(blank=True, null=True, verbose_name="offered")),
                (
                    "offer_expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offered until"),
                ),
                (
                    "offer_sent_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offer mailed"),
                ),
                (
                    "offer_tries",
                    models.PositiveSmallIntegerField(
                        default=0, verbose_name="tries to mail the offer"
                    ),
                ),
                (
                    "offer_next_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offer tried again"),
                ),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="waitlist_entries",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "hold",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="enrollment.lesson",
                        verbose_name="held lesson",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="waitlist_entries",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="waitlist_entries",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "waitlist entry",
                "verbose_name_plural": "waitlist",
                "ordering": ["created_at", "pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "waiting")),
                        fields=["course", "teacher", "starts_at", "created_at"],
                        name="waitlist_line",
                    ),
                    models.Index(
                        condition=models.Q(("status", "offered")),
                        fields=["course", "offer_expires_at"],
                        name="waitlist_offers",
                    ),
                    models.Index(fields=["ended_at"], name="waitlist_over"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                (
                                    "waiting",
                                    "offered",
                                ),
                            )
                        ),
                        fields=("student", "course", "teacher", "starts_at"),
                        name="waitlist_waits_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("starts_at__isnull", True), ("teacher__isnull", True)),
                            models.Q(("starts_at__isnull", False), ("teacher__isnull", False)),
                            _connector="OR",
                        ),
                        name="waitlist_time_or_place",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("status", "offered"),
                                _negated=True,
                            ),
                            models.Q(
                                ("offer_expires_at__isnull", False), ("offered_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_offer_has_an_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ended_at__isnull", True),
                                (
                                    "status__in",
                                    (
                                        "waiting",
                                        "offered",
                                    ),
                                ),
                            ),
                            models.Q(
                                models.Q(
                                    (
                                        "status__in",
                                        (
                                            "waiting",
                                            "offered",
                                        ),
                                    ),
                                    _negated=True,
                                ),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_ends_once",
                    ),
                ],
            },
            db_on_delete={"student": "CASCADE", "course": "CASCADE", "teacher": "CASCADE"},
        ),
    ]
