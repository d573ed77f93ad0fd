from datetime import date

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from enrollment.models.people import Teacher


class Course(models.Model):
    title = models.CharField(_("title"), max_length=160)
    slug = models.SlugField(_("address name"), unique=True, max_length=80)
    description = models.TextField(_("description"), blank=True)
    teachers = models.ManyToManyField(
        Teacher, related_name="courses", verbose_name=_("teachers"), blank=True
    )
    lesson_minutes = models.PositiveSmallIntegerField(
        _("lesson length in minutes"),
        default=45,
        validators=[MinValueValidator(5), MaxValueValidator(480)],
    )
    seats = models.PositiveSmallIntegerField(
        _("students in one lesson"),
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("1: each student alone. More: a group, which is full with so many."),
    )
    capacity = models.PositiveIntegerField(
        _("places"), default=10, help_text=_("How many students can be enrolled at once.")
    )
    opens_on = models.DateField(
        _("enrollment from"), null=True, blank=True, help_text=_("First day; empty: from always.")
    )
    closes_on = models.DateField(
        _("enrollment until"),
        null=True,
        blank=True,
        help_text=_("Last day, counted in; empty: without end."),
    )

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(
                name="course_opens_before_it_closes",
                condition=Q(opens_on__isnull=True)
                | Q(closes_on__isnull=True)
                | Q(closes_on__gte=F("opens_on")),
                violation_error_message=_("Enrollment cannot end before it begins."),
            ),
            models.CheckConstraint(
                name="course_lesson_minutes_sane",
                condition=Q(lesson_minutes__gte=5, lesson_minutes__lte=480),
                violation_error_message=_("A lesson lasts between 5 and 480 minutes."),
            ),
            models.CheckConstraint(
                name="course_seats_sane",
                condition=Q(seats__gte=1, seats__lte=100),
                violation_error_message=_("A lesson has between 1 and 100 students."),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def is_open(self, *, today: date) -> bool:
        return (self.opens_on is None or self.opens_on <= today) and (
            self.closes_on is None or today <= self.closes_on
        )
