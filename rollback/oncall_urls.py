from django.urls import path

from rollback.oncall import pages

app_name = "oncall"

urlpatterns = [path("acknowledge/<str:call>/", pages.acknowledge, name="acknowledge")]
