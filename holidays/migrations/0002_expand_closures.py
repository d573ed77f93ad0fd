"""Holidays for some teachers, courses or regions, parts of days, working days instead, and where they
come from. Undoing loses all of that: what closed for some then closes the whole school, all day long;
working days instead are gone, and of holidays with the same name and days only the oldest is left.
"""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# The working days, and whatever has the name and the days of one that is older.
LOST = """
SELECT id FROM (
    SELECT id, kind, min(id) FILTER (WHERE kind <> 'working_day')
                         OVER (PARTITION BY name, first_on, last_on) AS oldest
      FROM holidays_holiday
) AS one WHERE kind = 'working_day' OR id <> oldest
"""

# No table can be altered while its foreign keys wait to be checked.
FIT_FOR_0001 = f"""
DELETE FROM holidays_holiday_teachers WHERE holiday_id IN ({LOST});
DELETE FROM holidays_holiday_courses WHERE holiday_id IN ({LOST});
DELETE FROM holidays_holiday WHERE id IN ({LOST});
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0007_expand_conflicts"),
        ("holidays", "0001_expand_holidays"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
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
            ],
            options={
                "verbose_name": "import of holidays",
                "verbose_name_plural": "imports of holidays",
                "ordering": ["-made_at", "-pk"],
            },
        ),
        migrations.CreateModel(
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
            ],
            options={
                "verbose_name": "source of holidays",
                "verbose_name_plural": "sources of holidays",
                "ordering": ["title"],
            },
        ),
        migrations.CreateModel(
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
            },
        ),
        migrations.CreateModel(
            name="TeacherRegion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "verbose_name": "region of a teacher",
                "verbose_name_plural": "regions of teachers",
                "ordering": ["teacher"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="holiday",
            name="holiday_once",
        ),
        migrations.AddField(
            model_name="holiday",
            name="as_weekday",
            field=models.PositiveSmallIntegerField(
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
        migrations.AddField(
            model_name="holiday",
            name="courses",
            field=models.ManyToManyField(
                blank=True, related_name="+", to="enrollment.course", verbose_name="courses"
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="ends",
            field=models.TimeField(
                blank=True,
                help_text="Empty: until the evening.",
                null=True,
                verbose_name="closed until",
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="imported",
            field=models.JSONField(
                blank=True, editable=False, null=True, verbose_name="as imported"
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="kind",
            field=models.CharField(
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
        migrations.AddField(
            model_name="holiday",
            name="known_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                editable=False,
                verbose_name="known since",
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="names",
            field=models.JSONField(
                blank=True, default=dict, verbose_name="name in other languages"
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="scope",
            field=models.CharField(
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
        migrations.AddField(
            model_name="holiday",
            name="source_key",
            field=models.CharField(blank=True, editable=False, max_length=200, verbose_name="key"),
        ),
        migrations.AddField(
            model_name="holiday",
            name="starts",
            field=models.TimeField(
                blank=True,
                help_text="Empty: from the morning on. On each of the days, on the teacher's clock.",
                null=True,
                verbose_name="closed from",
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="teachers",
            field=models.ManyToManyField(
                blank=True, related_name="+", to="enrollment.teacher", verbose_name="teachers"
            ),
        ),
        migrations.AlterField(
            model_name="holiday",
            name="note",
            field=models.TextField(blank=True, max_length=1000, verbose_name="note for students"),
        ),
        migrations.AddField(
            model_name="holidayimport",
            name="made_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="made by",
            ),
        ),
        migrations.AddField(
            model_name="holidayimport",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="imports",
                to="holidays.holidaysource",
                verbose_name="source",
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="source",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="holidays",
                to="holidays.holidaysource",
                verbose_name="source",
            ),
        ),
        migrations.AddConstraint(
            model_name="region",
            constraint=models.UniqueConstraint(
                fields=("country", "subdivision"),
                name="region_once",
                violation_error_message="This region is already entered.",
            ),
        ),
        migrations.AddConstraint(
            model_name="region",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_school", True)),
                fields=("is_school",),
                name="region_one_school",
                violation_error_message="The school already has a region; change that one first.",
            ),
        ),
        migrations.AddField(
            model_name="holidaysource",
            name="region",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="holidays.region",
                verbose_name="closes for teachers in",
            ),
        ),
        migrations.AddField(
            model_name="holiday",
            name="region",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="holidays.region",
                verbose_name="region",
            ),
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts__isnull", True),
                    ("ends__isnull", True),
                    ("starts__lt", models.F("ends")),
                    _connector="OR",
                ),
                name="holiday_part_of_day_in_order",
                violation_error_message="The end is after the beginning.",
            ),
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("region__isnull", False), ("scope", "region")),
                    models.Q(
                        models.Q(("scope", "region"), _negated=True), ("region__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="holiday_region_of_its_scope",
                violation_error_message="Name the region if it closes for teachers in a region, and only then.",
            ),
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.UniqueConstraint(
                fields=("name", "first_on", "last_on", "kind", "scope", "region", "starts", "ends"),
                name="holiday_once",
                nulls_distinct=False,
                violation_error_message="This holiday is already entered.",
            ),
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source_key", ""), _negated=True),
                fields=("source", "source_key"),
                name="holiday_once_in_source",
            ),
        ),
        migrations.AddField(
            model_name="teacherregion",
            name="region",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="teachers",
                to="holidays.region",
                verbose_name="region",
            ),
        ),
        migrations.AddField(
            model_name="teacherregion",
            name="teacher",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.AddConstraint(
            model_name="holidaysource",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "library"), models.Q(("country", ""), _negated=True)),
                    models.Q(models.Q(("kind", "library"), _negated=True), ("country", "")),
                    _connector="OR",
                ),
                name="holiday_source_country_of_library",
            ),
        ),
        # The last one is undone first.
        migrations.RunSQL(migrations.RunSQL.noop, FIT_FOR_0001),
    ]
