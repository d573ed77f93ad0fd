from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Holiday(models.Model):
    """Days on which no lesson is offered, whoever teaches. Both ends are counted."""

    name = models.CharField(_("name"), max_length=120)
    first_on = models.DateField(_("first day"))
    last_on = models.DateField(_("last day"), help_text=_("Counted in."))
    note = models.TextField(_("note"), blank=True, max_length=1000)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["first_on", "last_on", "name"]
        constraints = [
            models.CheckConstraint(
                name="holiday_last_not_before_first",
                condition=Q(last_on__gte=F("first_on")),
                violation_error_message=_("The last day is not before the first."),
            ),
            models.UniqueConstraint(
                fields=["name", "first_on", "last_on"],
                name="holiday_once",
                violation_error_message=_("This holiday is already entered."),
            ),
        ]
        indexes = [models.Index(fields=["last_on", "first_on"], name="holiday_days")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.first_on and self.last_on and self.last_on < self.first_on:
            raise ValidationError({"last_on": _("The last day is not before the first.")})
        if self._already_entered():
            raise ValidationError(
                {"name": _("“%(name)s” is already entered for these days.") % {"name": self.name}}
            )

    def _already_entered(self) -> bool:
        same = Holiday.objects.filter(name=self.name, first_on=self.first_on, last_on=self.last_on)
        return same.exclude(pk=self.pk).exists()
