from django.urls import path

from rollback.complaints import pages
from rollback.health import views
from rollback.public import pages as public

app_name = "watch"

# Answered by the middleware `Probes` before any URL is looked up; here so that they have names.
urlpatterns = [
    *(path(probe.removeprefix("/"), view, name=probe[1:]) for probe, view in views.PROBES.items()),
    path("report/", pages.report, name="report"),
    # Answered by the middleware `StatusPage`.
    path("status/", public.status, name="status"),
    path("status/feed.rss", public.status_rss, name="status-rss"),
    path("status/feed.atom", public.status_atom, name="status-atom"),
    path("status/index.json", public.status_json, name="status-json"),
    path("report/thanks/", pages.thanks, name="thanks"),
]
