from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("", include("enrollment.urls")),
    path("drafts/", include("rollback.urls")),
    path("schedule/", include("scheduling.urls")),
    path("calendar/", include("scheduling.calendar_urls")),
    path("holidays/", include("holidays.urls")),
    path("api/v1/availability/", include("scheduling.api_urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
