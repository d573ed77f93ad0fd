"""What the public is told about an incident: prefilled in every language, published with a timeline line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from rollback import incidents, registry, words
from rollback.audit import Actor, ChangeRefused
from rollback.domain.characters import first_forbidden
from rollback.domain.public import Cadence, Due, PublicState, Said, fitting, may_follow, next_word
from rollback.models import Incident, IncidentEvent, OnCallPolicy, PublicUpdate
from rollback.outbox import values
from rollback.public import board

# What fits above a page on a phone without pushing it off the screen.
MOST_HEADING, MOST_TEXT = 120, 1000
# What no switch covers.
SCHOOL = "school"
_FIRST = PublicUpdate.State.INVESTIGATING


@dataclass(frozen=True, kw_only=True)
class Words:
    """In one language."""

    heading: str
    text: str


class UpdateRefused(ChangeRefused):
    """errors: field ("state", "next_at", "components", "heading_de", "text_de") → a sentence."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(dict.fromkeys(errors.values())))
        self.errors = dict(errors)


@transaction.atomic
def publish(
    *,
    incident: int,
    state: str,
    actor: Actor,
    now: datetime,
    texts: Mapping[str, Words] | None = None,
    news: Mapping[str, str] | None = None,
    components: Sequence[str] | None = None,
    next_at: datetime | None = None,
    seen: int | None = None,
) -> PublicUpdate:
    """In every language of the school. texts: None: the letters' own, with `news` in them.

    components: None: what the incident is about. seen: the newest update that the author knew; 0: none.

    :raises UpdateRefused: nothing was published. :raises ChangeRefused: no such incident
    """
    found = Incident.objects.select_for_update().filter(pk=incident).first()
    if found is None:
        raise ChangeRefused(_("There is no incident %(number)s.") % {"number": incident})
    if texts is None:
        is_known = state in PublicUpdate.State.values
        texts = prefilled(found, state, next_at=next_at, news=news) if is_known else {}
    parts = parts_of(found) if components is None else list(components)
    _check(found, state=state, texts=texts, components=parts, next_at=next_at, now=now, seen=seen)
    update = PublicUpdate.objects.create(
        incident=found,
        state=state,
        components=parts,
        headings={language: told.heading.strip() for language, told in texts.items()},
        texts={language: told.text.strip() for language, told in texts.items()},
        published_by=actor.user,
        published_by_name=actor.name[:150],
        next_at=next_at,
    )
    incidents.record(
        incident=incident,
        kind=IncidentEvent.Kind.PUBLISHED,
        actor=actor,
        update=update.pk,
        state=str(state),
    )
    transaction.on_commit(board.refresh, robust=True)
    return update


def _check(
    incident: Incident,
    *,
    state: str,
    texts: Mapping[str, Words],
    components: Sequence[str],
    next_at: datetime | None,
    now: datetime,
    seen: int | None,
) -> None:
    newest = newest_of(incident)
    errors = dict(faults_of_words(texts))
    before = newest.state if newest else PublicState.UNSAID
    if state not in may_follow(before, is_open=incident.is_open):
        errors["state"] = _not_now(incident)
    elif seen is not None and seen != (newest.pk if newest else 0):
        errors["state"] = _overtaken(newest)
    if next_at is not None and next_at <= now:
        errors["next_at"] = _("This is over already: choose a time to come, or leave it empty.")
    if next_at is not None and state == PublicState.RESOLVED:
        errors["next_at"] = _("It is over, and nothing follows: leave this empty.")
    unknown = set(components) - set(dict(component_choices()))
    if unknown or not components:
        errors["components"] = _("Choose at least one part of the school.")
    if errors:
        raise UpdateRefused(errors)


def _not_now(incident: Incident) -> str:
    if incident.is_open:
        return _("The incident is open: resolve it before the public is told that it is over.")
    return _("The incident is resolved: only that can be told now.")


def _overtaken(newest: PublicUpdate | None) -> str:
    words = _(
        "%(name)s has published “%(state)s” meanwhile. Read it below, and publish yours if it adds to that."
    )
    return words % {
        "name": newest.published_by_name if newest else "–",
        "state": newest.get_state_display() if newest else "–",
    }


def faults_of_words(texts: Mapping[str, Words]) -> Iterator[tuple[str, str]]:
    for language, name in languages():
        told = texts.get(language, Words(heading="", text=""))
        for field, text, most in (
            ("heading", told.heading, MOST_HEADING),
            ("text", told.text, MOST_TEXT),
        ):
            if not text.strip():
                words = _("Write it in %(language)s as well: everybody reads it in their language.")
                yield f"{field}_{language}", words % {"language": name}
            elif len(text.strip()) > most:
                words = _("%(length)s characters: shorten it to %(most)s.")
                facts = {"length": len(text.strip()), "most": most}
                yield f"{field}_{language}", words % facts
            elif sentence := fault_of_characters(text.strip()):
                yield f"{field}_{language}", sentence


def fault_of_characters(text: str) -> str | None:
    """Pasted from office programs and seen by nobody; a feed cannot carry them."""
    found = first_forbidden(text)
    if found is None:
        return None
    words = _(
        "Here is a character that no page can show (U+%(code)s, in line %(line)s). Delete it, or type the "
        "line anew."
    )
    return words % {"code": found[0], "line": found[1]}


def languages() -> list[tuple[str, str]]:
    return [(code, _(name)) for code, name in settings.LANGUAGES]


def prefilled(
    incident: Incident,
    state: str,
    *,
    next_at: datetime | None = None,
    news: Mapping[str, str] | None = None,
    languages: Iterable[str] | None = None,
) -> dict[str, Words]:
    """By language, None: all of the school's: what the letter of that state says now."""
    zone = settings.TIME_ZONE
    found = {}
    for language in (
        [code for code, _name in settings.LANGUAGES] if languages is None else languages
    ):
        with translation.override(language):
            given = {
                "school": values.school(),
                "feature": values.features_of(incident),
                "since": values.moment(incident.first_bad_at or incident.opened_at, zone=zone),
                "expected": values.moment(next_at, zone=zone) if next_at else "",
                "news": str((news or {}).get(language, "")),
            }
        heading, text = words.plain(state, language=language, values=given)
        found[language] = Words(heading=heading[:MOST_HEADING], text=text)
    return found


def parts_of(incident: Incident) -> list[str]:
    """Names of the features that it holds or is about; of none of them: the school."""
    flags = list(incident.latches.order_by("flag_name").values_list("flag_name", flat=True))
    if not flags:
        opening = incident.events.filter(kind=IncidentEvent.Kind.OPENED).first()
        flags = list(opening.payload.get("flags", ())) if opening else []
    found = [registry.get(flag) for flag in flags]
    return [feature.name for feature in found if feature] or [SCHOOL]


def component_choices() -> list[tuple[str, str]]:
    own = [(feature.name, str(feature.title)) for feature in registry.features()]
    return [(SCHOOL, _("Courses and enrollment")), *own]


def newest_of(incident: Incident) -> PublicUpdate | None:
    return incident.public_updates.order_by("-published_at", "-pk").first()


# ---------------------------------------------------------------- when


def policy() -> OnCallPolicy:
    return OnCallPolicy.objects.order_by("pk").first() or OnCallPolicy()


def cadence_of(policy: OnCallPolicy) -> Cadence:
    return Cadence(
        first=timedelta(minutes=policy.first_update_minutes),
        between=timedelta(minutes=policy.update_minutes),
    )


def due(
    incident: Incident, *, newest: PublicUpdate | None, takes_away: bool, cadence: Cadence
) -> Due | None:
    """When the public has to hear of it next; no query."""
    said = (
        None
        if newest is None
        else Said(state=newest.state, at=newest.published_at, next_at=newest.next_at)
    )
    return next_word(
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        takes_away=takes_away,
        said=said,
        cadence=cadence,
    )


def proposed(incident: Incident, newest: PublicUpdate | None) -> PublicState:
    """The word that fits the state it is in."""
    return fitting(
        incident.state,
        before=newest.state if newest else PublicState.UNSAID,
        is_taken_on=incident.acknowledged_at is not None,
    )
