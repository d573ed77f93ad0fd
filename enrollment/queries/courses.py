from datetime import date

from django.db.models import Count, F, Prefetch, Q, QuerySet

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Course, Teacher


def with_places(courses: QuerySet[Course]) -> QuerySet[Course]:
    """Adds `taken` and `places_left`, in the same query."""
    return courses.annotate(
        taken=Count("enrollments", filter=Q(enrollments__status__in=LIVE_ENROLLMENT))
    ).annotate(places_left=F("capacity") - F("taken"))


def catalog(*, today: date, search: str = "") -> QuerySet[Course]:
    """The courses open on `today`, by title; `search` looks in title, description and teachers."""
    courses = Course.objects.filter(
        Q(opens_on__isnull=True) | Q(opens_on__lte=today),
        Q(closes_on__isnull=True) | Q(closes_on__gte=today),
    )
    if search:
        courses = courses.filter(
            Q(title__icontains=search)
            | Q(description__icontains=search)
            | Q(pk__in=Course.objects.filter(teachers__display_name__icontains=search))
        )
    return with_places(courses.order_by("title", "pk")).prefetch_related(
        Prefetch("teachers", queryset=Teacher.objects.only("id", "display_name"))
    )


def course_page() -> QuerySet[Course]:
    return with_places(Course.objects.all()).prefetch_related("teachers")
