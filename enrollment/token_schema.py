"""How the OpenAPI schema describes the tokens. Loaded when the app is ready."""

from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme


class ApiTokensScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    target_class = "enrollment.token_login.ApiTokens"
    name = "token"
