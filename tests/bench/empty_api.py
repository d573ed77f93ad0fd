"""An API view that answers with nothing, under the same settings, middleware, login and permissions:
what a request costs before anything is asked.
"""

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

PATH = "/api/v1/empty/"


class Empty(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path(PATH[1:], Empty.as_view()), path("", include("config.urls"))]
