from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class Process(models.Model):
    """What one process says of itself: the version of the flags that it runs, and that it lives.

    The table is UNLOGGED, for after a crash of the database each process says it again within
    seconds. All times are by the database's clock.
    """

    uuid = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(_("kind"), max_length=10)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process number"))
    started_at = models.DateTimeField(_("started"))
    version = models.BigIntegerField(_("version"))
    reached_at = models.DateTimeField(_("at this version since"))
    seen_at = models.DateTimeField(_("seen"))
    # Flags of the features whose tasks and requests it is in the middle of.
    busy = ArrayField(models.CharField(max_length=100), db_default=[], default=list)

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")

    def __str__(self) -> str:
        return f"{self.kind}, {self.host}, {self.pid}: version {self.version}"
