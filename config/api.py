from drf_spectacular.views import SpectacularSwaggerSplitView


class ApiPage(SpectacularSwaggerSplitView):
    """The schema for people, to read and to try. Its scripts come from a package, none stands inline."""

    url_name = "api-schema"
