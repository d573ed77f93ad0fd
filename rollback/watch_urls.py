from django.urls import path

from rollback.complaints import pages
from rollback.health import views

app_name = "watch"

# Answered by the middleware `Probes` before any URL is looked up; here so that they have names.
urlpatterns = [
    *(path(probe.removeprefix("/"), view, name=probe[1:]) for probe, view in views.PROBES.items()),
    path("report/", pages.report, name="report"),
    path("report/thanks/", pages.thanks, name="thanks"),
]
