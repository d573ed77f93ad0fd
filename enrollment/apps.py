from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EnrollmentConfig(AppConfig):
    name = "enrollment"
    verbose_name = _("School")

    def ready(self) -> None:
        from enrollment import detectors, personal, token_schema  # noqa: F401 - drf-spectacular finds it loaded
        from enrollment.models.people import plug_renamed
        from enrollment.operations import detecting, teacher_gone
        from enrollment.operations import personal as kept
        from enrollment.operations import personal_work as work

        for contributor in (*work.CONTRIBUTORS, *kept.CONTRIBUTORS):
            personal.register(contributor)
        plug_renamed(personal.renamed)
        for detector in (*detecting.DETECTORS, *teacher_gone.DETECTORS):
            detectors.register(detector)
