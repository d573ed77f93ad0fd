"""Letters that nobody needs: whoever gets one may say that no more of them are wanted, and take it back."""

from collections.abc import Mapping

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from enrollment.models import User
from rollback.models import NoNews


def wants_news(user: User) -> bool:
    return not NoNews.objects.filter(user=user).exists()


def want_news(*, user: User, wanted: bool) -> None:
    if wanted:
        NoNews.objects.filter(user=user).delete()
    else:
        NoNews.objects.get_or_create(user=user)


def off_url(user: User) -> str:
    return f"{settings.SITE_URL}{reverse('watch:no_news', args=[off_token(user)])}"


def headers(url: str) -> Mapping[str, str]:
    """RFC 8058: the mail program may say it for the reader, with one press of a button."""
    if not url:
        return {}
    return {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def off_token(user: User) -> str:
    """Whoever has the mail may say that no more are wanted, and nothing else; it never runs out."""
    return _signer().sign(str(user.pk))


def user_of_token(token: str) -> User | None:
    try:
        pk = _signer().unsign(token)
    except BadSignature:
        return None
    return User.objects.filter(pk=int(pk), deleted_at=None).first()


def _signer() -> Signer:
    return Signer(salt="rollback.news", sep=".")
