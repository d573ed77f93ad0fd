from django.urls import path

from scheduling.views import calendar, feed, subscribe

app_name = "calendar"

urlpatterns = [
    path("", calendar.show, name="month"),
    path("<int:year>/<int:month>/", calendar.show, name="other_month"),
    path("subscribe/", subscribe.my_feeds, name="subscribe"),
    path("subscribe/<int:feed>/revoke/", subscribe.revoke, name="revoke_feed"),
    path("feed/<str:token>.ics", feed.show, name="feed"),
]
