from typing import Any

from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from enrollment.api.throttling import Nobody


# Without a docstring: the schema would give it to every operation that has no description.
class ApiView(APIView):
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def handle_exception(self, exc: Exception) -> Response:
        # REST framework counts only whom it has let in.
        if isinstance(exc, (NotAuthenticated, AuthenticationFailed)):
            throttle = Nobody()
            if not throttle.allow_request(self.request, self):
                exc = Throttled(throttle.wait())
        return super().handle_exception(exc)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """One's own data: kept by nobody on the way, and asked for again each time."""
        found = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(found, private=True, no_cache=True)
        patch_vary_headers(found, ("Authorization", "Cookie"))
        return found
