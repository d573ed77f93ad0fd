from datetime import date

from django.urls import path, register_converter

from scheduling.views import calendar, choose, feed, subscribe


class Day:
    """A date as ISO 8601 writes it; one that does not exist is no address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


register_converter(Day, "day")

app_name = "calendar"

urlpatterns = [
    # The flow's first step: without the calendar the original form takes its place.
    path("choose/<slug:course>/", choose.choose, name="choose"),
    path("", calendar.month, name="month"),
    path("<int:year>/<int:month>/", calendar.month, name="other_month"),
    path("week/", calendar.week, name="week"),
    path("week/<day:on>/", calendar.week, name="other_week"),
    path("list/", calendar.agenda, name="list"),
    path("list/<day:on>/", calendar.agenda, name="list_from"),
    path("subscribe/", subscribe.my_feeds, name="subscribe"),
    path("subscribe/<int:feed>/revoke/", subscribe.revoke, name="revoke_feed"),
    path("feed/<str:token>.ics", feed.show, name="feed"),
]
