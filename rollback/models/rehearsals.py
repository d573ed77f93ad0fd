from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Rehearsal(models.Model):
    """The whole rollback, done on a copy. passed: None while it goes on. graph: hash of the migrations
    that it was about; with others it says nothing.
    """

    started_at = models.DateTimeField(_("started"), db_default=Now(), editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    passed = models.BooleanField(_("passed"), null=True)
    graph = models.CharField(_("migrations"), max_length=64)
    backup = models.CharField(_("backup"), max_length=100)
    # By phase: {"3": {"seconds": 1.2}, "1": {"seconds": 0.4, "blocked": 0.2, "rows": 12345}, …}.
    figures = models.JSONField(_("figures"), default=dict)
    report = models.TextField(_("report"), blank=True)  # Markdown
    picture = models.TextField(_("timeline"), blank=True)  # SVG
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("rehearsal")
        verbose_name_plural = _("rehearsals")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.backup}, {self.started_at:%Y-%m-%d %H:%M}"
