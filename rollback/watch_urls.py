from django.urls import path

from rollback import hooks
from rollback import pages as mails
from rollback.complaints import pages
from rollback.health import views
from rollback.public import closed
from rollback.public import pages as public

app_name = "watch"

# Answered by the middleware `Probes` before any URL is looked up; here so that they have names.
urlpatterns = [
    *(
        path(probe.removeprefix("/"), view, name=probe[1:].replace("/", "_"))
        for probe, view in views.PROBES.items()
    ),
    path("mails/", mails.mails, name="mails"),
    path("mails/off/<str:news_token>/", mails.no_news, name="no_news"),
    path("report/", pages.report, name="report"),
    # Answered by the middleware `StatusPage`.
    path("status/", public.status, name="status"),
    path("hooks/mail/", hooks.mail, name="mail_hook"),
    path("notices/close/", closed.close, name="close_notice"),
    path("status/feed.rss", public.status_rss, name="status-rss"),
    path("status/feed.atom", public.status_atom, name="status-atom"),
    path("status/index.json", public.status_json, name="status-json"),
    path("report/thanks/", pages.thanks, name="thanks"),
]
