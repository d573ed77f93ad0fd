"""Dates with different hours, time off, booking policies, hours past midnight and every n weeks.

Undoing loses all of these. It is refused while a teacher has hours that go on past midnight, or hours that
overlap because they hold in different weeks: the old guard cannot tell them apart.
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
from django.db import migrations, models

import scheduling.models.rules


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0006_expand_group_lessons"),
        ("scheduling", "0001_expand_availability_rules"),
    ]

    operations = [
        migrations.CreateModel(
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
            ],
            options={
                "verbose_name": "different hours on a date",
                "verbose_name_plural": "different hours on a date",
                "ordering": ["teacher", "day_on", "starts", "pk"],
            },
        ),
        migrations.CreateModel(
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
            ],
            options={
                "verbose_name": "booking policy",
                "verbose_name_plural": "booking policies",
                "ordering": ["course__title", "teacher__display_name", "pk"],
            },
        ),
        migrations.CreateModel(
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
            ],
            options={
                "verbose_name": "time off",
                "verbose_name_plural": "time off",
                "ordering": ["period", "pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="availabilityrule",
            name="availability_ends_later",
        ),
        migrations.RemoveConstraint(
            model_name="availabilityrule",
            name="availability_once",
        ),
        migrations.AddField(
            model_name="availabilityrule",
            name="ends_next_day",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="For hours that go on past midnight.",
                verbose_name="ends on the next day",
            ),
        ),
        migrations.AddField(
            model_name="availabilityrule",
            name="every_weeks",
            field=models.PositiveSmallIntegerField(
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
        migrations.AddConstraint(
            model_name="availabilityrule",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="availabilityrule",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="availabilityrule",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
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
        ),
        migrations.AddField(
            model_name="availabilityexception",
            name="teacher",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="availability_exceptions",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.AddField(
            model_name="bookingpolicy",
            name="course",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: for every course.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="booking_policies",
                to="enrollment.course",
                verbose_name="course",
            ),
        ),
        migrations.AddField(
            model_name="bookingpolicy",
            name="teacher",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: for every teacher.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="booking_policies",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.AddField(
            model_name="timeoff",
            name="teacher",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="time_off",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.AddConstraint(
            model_name="availabilityexception",
            constraint=models.CheckConstraint(
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
                            models.Q(("ends_next_day", True), ("ends__lte", models.F("starts"))),
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
        ),
        migrations.AddConstraint(
            model_name="availabilityexception",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="availabilityexception",
            constraint=models.UniqueConstraint(
                condition=models.Q(("starts__isnull", True)),
                fields=("teacher", "day_on"),
                name="exception_empty_once",
                violation_error_message="This date has no hours already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookingpolicy",
            constraint=models.UniqueConstraint(
                fields=("course", "teacher"),
                name="booking_policy_once",
                nulls_distinct=False,
                violation_error_message="There is a policy for these already. Change that one.",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookingpolicy",
            constraint=models.CheckConstraint(
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
                        ("buffer_after__isnull", True), ("buffer_after__lte", 240), _connector="OR"
                    ),
                    models.Q(
                        ("horizon_days__isnull", True),
                        ("horizon_days__range", (1, 366)),
                        _connector="OR",
                    ),
                    models.Q(("most_a_day__isnull", True), ("most_a_day__gte", 1), _connector="OR"),
                    models.Q(
                        ("most_a_week__isnull", True), ("most_a_week__gte", 1), _connector="OR"
                    ),
                ),
                name="booking_policy_sane",
            ),
        ),
        migrations.AddIndex(
            model_name="timeoff",
            index=django.contrib.postgres.indexes.GistIndex(
                fields=["teacher", "period"], name="time_off_of_teacher"
            ),
        ),
        migrations.AddConstraint(
            model_name="timeoff",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("period__isempty", False),
                    ("period__lower_inc", True),
                    ("period__lower_inf", False),
                    ("period__upper_inc", False),
                    ("period__upper_inf", False),
                ),
                name="time_off_period_finite",
                violation_error_message="Time off begins, and ends later.",
            ),
        ),
    ]
