"""The school that was there before. Undoing loses every person, course, enrollment and lesson."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import enrollment.domain.states
import enrollment.models.people


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        # The exclusion constraints compare a number and a range in one index.
        BtreeGistExtension(),
        migrations.CreateModel(
            name="Course",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=160, verbose_name="title")),
                ("slug", models.SlugField(max_length=80, unique=True, verbose_name="address name")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                (
                    "lesson_minutes",
                    models.PositiveSmallIntegerField(
                        default=45,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(480),
                        ],
                        verbose_name="lesson length in minutes",
                    ),
                ),
                (
                    "capacity",
                    models.PositiveIntegerField(
                        default=10,
                        help_text="How many students can be enrolled at once.",
                        verbose_name="places",
                    ),
                ),
                (
                    "opens_on",
                    models.DateField(
                        blank=True,
                        help_text="First day; empty: from always.",
                        null=True,
                        verbose_name="enrollment from",
                    ),
                ),
                (
                    "closes_on",
                    models.DateField(
                        blank=True,
                        help_text="Last day, counted in; empty: without end.",
                        null=True,
                        verbose_name="enrollment until",
                    ),
                ),
            ],
            options={
                "verbose_name": "course",
                "verbose_name_plural": "courses",
                "ordering": ["title", "pk"],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "first_name",
                    models.CharField(blank=True, max_length=150, verbose_name="first name"),
                ),
                (
                    "last_name",
                    models.CharField(blank=True, max_length=150, verbose_name="last name"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                (
                    "email",
                    models.EmailField(max_length=254, unique=True, verbose_name="e-mail address"),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.CreateModel(
            name="Student",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "zone",
                    models.CharField(
                        help_text="The student's own clock, an IANA name like Europe/Berlin.",
                        max_length=64,
                        validators=[enrollment.models.people.validate_zone],
                        verbose_name="time zone",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "student",
                "verbose_name_plural": "students",
                "ordering": ["user__last_name", "user__first_name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Enrollment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "wished_times",
                    models.TextField(blank=True, max_length=3000, verbose_name="wished times"),
                ),
                ("note", models.TextField(blank=True, max_length=4000, verbose_name="note")),
                (
                    "office_note",
                    models.TextField(
                        blank=True,
                        help_text="Never shown to the student.",
                        verbose_name="note for the office",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("confirmed", "Confirmed"),
                            ("completed", "Completed"),
                            ("declined", "Declined"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="requested",
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                (
                    "payment_reference",
                    models.CharField(blank=True, max_length=64, verbose_name="payment reference"),
                ),
                (
                    "flow",
                    models.CharField(
                        choices=[
                            ("original", "Original form"),
                            ("scheduling", "With a chosen time"),
                            ("office", "Entered by the office"),
                        ],
                        default="original",
                        max_length=12,
                        verbose_name="came through",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "confirmation_sent_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="confirmation mailed"
                    ),
                ),
                (
                    "confirmation_tries",
                    models.PositiveSmallIntegerField(
                        default=0,
                        editable=False,
                        verbose_name="tries to mail the confirmation",
                    ),
                ),
                (
                    "confirmation_next_at",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        null=True,
                        verbose_name="confirmation tried again",
                    ),
                ),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrollments",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrollments",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
            ],
            options={
                "verbose_name": "enrollment",
                "verbose_name_plural": "enrollments",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Teacher",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "display_name",
                    models.CharField(max_length=120, verbose_name="name shown to students"),
                ),
                (
                    "zone",
                    models.CharField(
                        help_text="The teacher's own clock, an IANA name like Europe/Berlin.",
                        max_length=64,
                        validators=[enrollment.models.people.validate_zone],
                        verbose_name="time zone",
                    ),
                ),
                ("bio", models.TextField(blank=True, verbose_name="about")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "teacher",
                "verbose_name_plural": "teachers",
                "ordering": ["display_name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Lesson",
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
                ("local_on", models.DateField(verbose_name="agreed date")),
                ("local_start", models.TimeField(verbose_name="agreed time")),
                (
                    "zone",
                    models.CharField(
                        max_length=64,
                        validators=[enrollment.models.people.validate_zone],
                        verbose_name="agreed time zone",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "Held"),
                            ("planned", "Planned"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="planned",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="held until"),
                ),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lessons",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lessons",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lessons",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lessons",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "lesson",
                "verbose_name_plural": "lessons",
                "ordering": ["period", "pk"],
            },
        ),
        migrations.AddField(
            model_name="enrollment",
            name="teacher",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="enrollments",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.AddField(
            model_name="course",
            name="teachers",
            field=models.ManyToManyField(
                blank=True, related_name="courses", to="enrollment.teacher", verbose_name="teachers"
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                name="user_email_once",
                violation_error_message="Somebody else already uses this e-mail address.",
            ),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(
                condition=models.Q(("status", enrollment.domain.states.LessonStatus["HELD"])),
                fields=["expires_at"],
                name="lesson_holds",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(
                    ("status", enrollment.domain.states.LessonStatus["CANCELLED"]), _negated=True
                ),
                expressions=[("teacher", "="), ("period", "&&")],
                name="lesson_teacher_once",
                violation_error_message="The teacher already has a lesson at this time.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(
                    ("status", enrollment.domain.states.LessonStatus["CANCELLED"]), _negated=True
                ),
                expressions=[("student", "="), ("period", "&&")],
                name="lesson_student_once",
                violation_error_message="The student already has a lesson at this time.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("period__isempty", False),
                    ("period__lower_inc", True),
                    ("period__lower_inf", False),
                    ("period__upper_inc", False),
                    ("period__upper_inf", False),
                ),
                name="lesson_period_finite",
                violation_error_message="A lesson begins, and ends later.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("expires_at__isnull", False),
                        ("status", enrollment.domain.states.LessonStatus["HELD"]),
                    ),
                    models.Q(
                        models.Q(
                            ("status", enrollment.domain.states.LessonStatus["HELD"]), _negated=True
                        ),
                        ("expires_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="lesson_held_until",
                violation_error_message="A hold, and only a hold, has an end.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("enrollment__isnull", True),
                    ("status", enrollment.domain.states.LessonStatus["HELD"]),
                ),
                fields=("student", "course"),
                name="lesson_held_once",
                violation_error_message="The student already holds a time in this course.",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("confirmation_sent_at__isnull", True)),
                fields=["created_at"],
                name="enrollment_untold",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        (
                            enrollment.domain.states.EnrollmentStatus["REQUESTED"],
                            enrollment.domain.states.EnrollmentStatus["CONFIRMED"],
                        ),
                    )
                ),
                fields=("student", "course"),
                name="one_live_enrollment",
                violation_error_message="This student is already enrolled in this course.",
            ),
        ),
        migrations.AddConstraint(
            model_name="course",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("opens_on__isnull", True),
                    ("closes_on__isnull", True),
                    ("closes_on__gte", models.F("opens_on")),
                    _connector="OR",
                ),
                name="course_opens_before_it_closes",
                violation_error_message="Enrollment cannot end before it begins.",
            ),
        ),
        migrations.AddConstraint(
            model_name="course",
            constraint=models.CheckConstraint(
                condition=models.Q(("lesson_minutes__gte", 5), ("lesson_minutes__lte", 480)),
                name="course_lesson_minutes_sane",
                violation_error_message="A lesson lasts between 5 and 480 minutes.",
            ),
        ),
    ]
