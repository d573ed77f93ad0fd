from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class SitePlanConfig(AppConfig):
    """Knows every app and does nothing but connect them."""

    name = "config"

    def ready(self) -> None:
        # Loads the Celery application, and registers a check.
        from config import celery, features, providers, roles, zones  # noqa: F401

        features.plug_sockets()
        if settings.EMAIL_PROVIDER:
            providers.listen()
        post_migrate.connect(roles.give_permissions, sender=self)


class OfficeAdminConfig(AdminConfig):
    default_site = "rollback.console.site.OfficeSite"
