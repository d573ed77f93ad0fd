"""Words that the page and its feeds share."""

from email.utils import parseaddr

from django.conf import settings
from django.utils.translation import gettext as _

from rollback.domain.standing import in_language
from rollback.models import PublicUpdate


def school_name() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or _("The school")


def state_words(state: str) -> str:
    return str(dict(PublicUpdate.State.choices).get(state, state))


def said(by_language: dict[str, str], language: str) -> dict[str, str]:
    """lang: empty where it is the page's own."""
    text, code = in_language(by_language, language, usual=settings.LANGUAGE_CODE)
    return {"text": text, "lang": "" if code == language else code}


def whole(path: str) -> str:
    return f"{settings.SITE_URL}{path}"
