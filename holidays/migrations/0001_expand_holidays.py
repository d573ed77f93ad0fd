"""Holidays, whom they close for, and where they come from. Undoing loses nothing: the tables wait in the archive."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

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
            name="Region",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "country",
                    models.CharField(
                        help_text="ISO 3166-1: two letters, like DE.",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}\\Z", "Two capital letters, like DE."
                            )
                        ],
                        verbose_name="country",
                    ),
                ),
                (
                    "subdivision",
                    models.CharField(
                        blank=True,
                        help_text="ISO 3166-2 without the country, like BY; empty: the whole country.",
                        max_length=6,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z0-9]{1,6}\\Z", "Letters and digits, like BY."
                            )
                        ],
                        verbose_name="subdivision",
                    ),
                ),
                (
                    "is_school",
                    models.BooleanField(
                        default=False,
                        help_text="Counts for every teacher who has no region of their own.",
                        verbose_name="the school is here",
                    ),
                ),
            ],
            options={
                "verbose_name": "region",
                "verbose_name_plural": "regions",
                "ordering": ["country", "subdivision"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("country", "subdivision"),
                        name="region_once",
                        violation_error_message="This region is already entered.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_school", True)),
                        fields=("is_school",),
                        name="region_one_school",
                        violation_error_message="The school already has a region; change that one first.",
                    ),
                ],
            },
        ),
        ArchivingCreateModel(
            name="HolidaySource",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("library", "public holidays of a country"),
                            ("icalendar", "calendar file (.ics)"),
                            ("csv", "table (.csv)"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("title", models.CharField(max_length=120, unique=True, verbose_name="title")),
                ("country", models.CharField(blank=True, max_length=2, verbose_name="country")),
                (
                    "subdivision",
                    models.CharField(blank=True, max_length=6, verbose_name="subdivision"),
                ),
                (
                    "categories",
                    models.JSONField(blank=True, default=list, verbose_name="categories"),
                ),
                (
                    "region",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="holidays.region",
                        verbose_name="closes for teachers in",
                    ),
                ),
            ],
            options={
                "verbose_name": "source of holidays",
                "verbose_name_plural": "sources of holidays",
                "ordering": ["title"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "library"), models.Q(("country", ""), _negated=True)),
                            models.Q(models.Q(("kind", "library"), _negated=True), ("country", "")),
                            _connector="OR",
                        ),
                        name="holiday_source_country_of_library",
                    )
                ],
            },
        ),
        ArchivingCreateModel(
            name="HolidayImport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_year", models.PositiveSmallIntegerField(verbose_name="first year")),
                ("last_year", models.PositiveSmallIntegerField(verbose_name="last year")),
                (
                    "version",
                    models.CharField(
                        blank=True,
                        help_text="Of the library, or of the file.",
                        max_length=40,
                        verbose_name="version",
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="made",
                    ),
                ),
                ("changes", models.JSONField(default=list, verbose_name="changes")),
                (
                    "undone_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="undone"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imports",
                        to="holidays.holidaysource",
                        verbose_name="source",
                    ),
                ),
            ],
            options={
                "verbose_name": "import of holidays",
                "verbose_name_plural": "imports of holidays",
                "ordering": ["-made_at", "-pk"],
            },
            db_on_delete={"made_by": "SET NULL"},
        ),
        ArchivingCreateModel(
            name="Holiday",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "names",
                    models.JSONField(
                        blank=True, default=dict, verbose_name="name in other languages"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("public", "public holiday"),
                            ("school_break", "school break"),
                            ("other", "other closure"),
                            ("working_day", "working day instead"),
                        ],
                        default="other",
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("first_on", models.DateField(verbose_name="first day")),
                ("last_on", models.DateField(help_text="Counted in.", verbose_name="last day")),
                (
                    "starts",
                    models.TimeField(
                        blank=True,
                        help_text="Empty: from the morning on. On each of the days, on the teacher's clock.",
                        null=True,
                        verbose_name="closed from",
                    ),
                ),
                (
                    "ends",
                    models.TimeField(
                        blank=True,
                        help_text="Empty: until the evening.",
                        null=True,
                        verbose_name="closed until",
                    ),
                ),
                (
                    "as_weekday",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        help_text="Of a working day instead: whose weekly hours count on it.",
                        null=True,
                        verbose_name="works like",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("school", "the whole school"),
                            ("region", "teachers in a region"),
                            ("teachers", "certain teachers"),
                            ("courses", "certain courses"),
                        ],
                        default="school",
                        max_length=10,
                        verbose_name="closes for",
                    ),
                ),
                (
                    "note",
                    models.TextField(blank=True, max_length=1000, verbose_name="note for students"),
                ),
                (
                    "source_key",
                    models.CharField(
                        blank=True, editable=False, max_length=200, verbose_name="key"
                    ),
                ),
                (
                    "imported",
                    models.JSONField(
                        blank=True, editable=False, null=True, verbose_name="as imported"
                    ),
                ),
                (
                    "known_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="known since",
                    ),
                ),
                (
                    "courses",
                    models.ManyToManyField(
                        blank=True, related_name="+", to="enrollment.course", verbose_name="courses"
                    ),
                ),
                (
                    "teachers",
                    models.ManyToManyField(
                        blank=True,
                        related_name="+",
                        to="enrollment.teacher",
                        verbose_name="teachers",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="holidays",
                        to="holidays.holidaysource",
                        verbose_name="source",
                    ),
                ),
                (
                    "region",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="holidays.region",
                        verbose_name="region",
                    ),
                ),
            ],
            options={
                "verbose_name": "holiday",
                "verbose_name_plural": "holidays",
                "ordering": ["first_on", "last_on", "name"],
                "indexes": [models.Index(fields=["last_on", "first_on"], name="holiday_days")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_on__gte", models.F("first_on"))),
                        name="holiday_last_not_before_first",
                        violation_error_message="The last day is not before the first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("starts__isnull", True),
                            ("ends__isnull", True),
                            ("starts__lt", models.F("ends")),
                            _connector="OR",
                        ),
                        name="holiday_part_of_day_in_order",
                        violation_error_message="The end is after the beginning.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("as_weekday__isnull", False),
                                ("as_weekday__lte", 6),
                                ("ends__isnull", True),
                                ("kind", "working_day"),
                                ("starts__isnull", True),
                            ),
                            models.Q(
                                models.Q(("kind", "working_day"), _negated=True),
                                ("as_weekday__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="holiday_working_day_whole",
                        violation_error_message="Only a working day instead works like another weekday, and it does so whole.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("region__isnull", False), ("scope", "region")),
                            models.Q(
                                models.Q(("scope", "region"), _negated=True),
                                ("region__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="holiday_region_of_its_scope",
                        violation_error_message="Name the region if it closes for teachers in a region, and only then.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "working_day"), ("scope", "courses"), _negated=True
                        ),
                        name="holiday_working_day_of_teachers",
                        violation_error_message="A working day instead counts for the school, a region or teachers.",
                    ),
                    models.UniqueConstraint(
                        fields=(
                            "name",
                            "first_on",
                            "last_on",
                            "kind",
                            "scope",
                            "region",
                            "starts",
                            "ends",
                        ),
                        name="holiday_once",
                        nulls_distinct=False,
                        violation_error_message="This holiday is already entered.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("source_key", ""), _negated=True),
                        fields=("source", "source_key"),
                        name="holiday_once_in_source",
                    ),
                ],
            },
            db_on_delete={"teachers": "CASCADE", "courses": "CASCADE"},
        ),
        ArchivingCreateModel(
            name="TeacherRegion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "region",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="teachers",
                        to="holidays.region",
                        verbose_name="region",
                    ),
                ),
                (
                    "teacher",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "region of a teacher",
                "verbose_name_plural": "regions of teachers",
                "ordering": ["teacher"],
            },
            db_on_delete={"teacher": "CASCADE"},
        ),
    ]
