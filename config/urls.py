from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from config import providers
from config.api import ApiPage
from enrollment.views.language import set_language

urlpatterns = [
    path("", include("enrollment.urls")),
    path("drafts/", include("rollback.urls")),
    path("", include("rollback.watch_urls")),
    path("live/", include("rollback.live_urls")),
    path("on-call/", include("rollback.oncall_urls")),
    path("schedule/", include("scheduling.urls")),
    path("calendar/", include("scheduling.calendar_urls")),
    path("holidays/", include("holidays.urls")),
    path("api/v1/availability/", include("scheduling.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", login_required(ApiPage.as_view()), name="api-docs"),
    path("accounts/", include("allauth.urls")),
    path("i18n/setlang/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
]

if settings.EMAIL_PROVIDER and settings.ANYMAIL["WEBHOOK_SECRET"]:
    urlpatterns.append(path("hooks/anymail/", include(providers.urls(settings.EMAIL_PROVIDER))))

# Programs get problem+json, people a page.
handler400 = "enrollment.api.problems.bad_request"
handler404 = "enrollment.api.problems.not_found"
# Where the database is lost a page of its own; else as the others.
handler500 = "rollback.doors.lost.broken"
