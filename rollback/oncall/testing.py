"""Does a channel take a page? Asked at once, by whoever has just entered its address."""

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from rollback.models import Channel, Page
from rollback.oncall import telling
from rollback.outbox.programs import deliver


def send(channel: Channel, *, key: str) -> None:
    """A page, and that it is over, so that nobody is called by it for long.

    :raises OSError: :raises rollback.outbox.programs.ProgramRefused:
    """
    page = Page(pk=0, kind=Page.Kind.TEST, opened_at=timezone.now())
    for event in (telling.TRIGGER, telling.RESOLVE):
        with translation.override(settings.LANGUAGE_CODE):
            facts = {
                **telling.program_facts(page, event, called=()),
                "page": None,
                "key": key,
                "title": _("Test of the channel %(name)s") % {"name": channel.name},
            }
        deliver(channel, facts, key=f"{key}.{event}")
