from django.urls import path

from rollback import live

app_name = "live"

urlpatterns = [
    path("features/", live.features_on, name="features"),
    path("timings/", live.take_timings, name="timings"),
]
