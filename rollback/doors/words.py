from django.utils.translation import gettext_lazy as _

from rollback.domain.letters_to_people import SIMPLIFIED_MODE, TECHNICAL_UPDATE

# The specification's sentences for S1 and S3, word for word; the letters say them too.
TURNED_AWAY = _(TECHNICAL_UPDATE)
SIMPLIFIED = _(SIMPLIFIED_MODE)
SWITCHED_OFF = _("This feature is switched off at the moment. Please try again later.")
# Neither that nothing is lost nor that it counts: what was purged is gone, and a closure closes nothing.
ARCHIVED = _("This part of the school is taken away for the time being.")
NOT_SAVED = _("What you sent just now was not saved.")
