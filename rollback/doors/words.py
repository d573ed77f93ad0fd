from django.utils.translation import gettext_lazy as _

# The specification's sentence for S1, word for word.
TURNED_AWAY = _(
    "Technical update in progress. Your enrollment has been saved and you can complete it "
    "using our standard process."
)
# The specification's sentence for S3, word for word.
SIMPLIFIED = _("Simplified enrollment mode active. Full scheduling features will return shortly.")
SWITCHED_OFF = _("This feature is switched off at the moment. Please try again later.")
# Neither that nothing is lost nor that it counts: what was purged is gone, and a closure closes nothing.
ARCHIVED = _("This part of the school is taken away for the time being.")
NOT_SAVED = _("What you sent just now was not saved.")
