"""Triggers in the admin: what each says now, how it may be changed and was, and what it came to."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import exposure, runner, triggers
from rollback.console.forms import ReasonForm
from rollback.domain.metrics import Slots, Verdict
from rollback.domain.triggers import NotReadable, from_json, judge
from rollback.models import Flag, Judgment, Trigger
from rollback.triggers import Standing, TriggerRefused

LABELS = {"OK": "success", "BREACH": "danger", "UNKNOWN": "info", "": "info"}
# What a page shows of slots and of judgments; the rest is in the row.
SLOTS_SHOWN = 60
JUDGMENTS_SHOWN = 10


def verdict_in_words(verdict: str) -> str:
    known: Mapping[str, str] = {
        Verdict.OK.value: _("In order"),
        Verdict.BREACH.value: _("Out of bounds"),
        Verdict.UNKNOWN.value: _("Cannot be judged"),
    }
    return known.get(verdict) or _("Not judged yet")


def said_in_words(standing: Standing) -> str:
    """The words of the verdict in the reader's language; as they were kept where that cannot be."""
    return _translated(*standing.said, words=standing.words)


def _translated(template: str, values: Mapping[str, str], *, words: str) -> str:
    try:
        return _(template) % values if template else words
    except (KeyError, TypeError, ValueError):
        return words


def judged_in_words(judgment: Judgment) -> str:
    """The same; the sentence apart from its values is what the evidence comes to again."""
    try:
        said = judge(*from_json(judgment.evidence)).said
    except NotReadable:
        return judgment.words
    if str(said) != judgment.words:  # by another version of ours: what was written then stands
        return judgment.words
    return _translated(said.template, said.values, words=judgment.words)


def _at(iso: str) -> str:
    moment = parse_datetime(iso) if iso else None
    return date_format(localtime(moment), "DATETIME_FORMAT") if moment else "–"


class TriggerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Each field is refused with a sentence that says what to enter."""

    reason = ReasonForm.base_fields["reason"]
    seen_version = forms.IntegerField(widget=forms.HiddenInput)
    feature = forms.ChoiceField(
        label=gettext_lazy("Feature"),
        required=False,
        help_text=gettext_lazy("Whose samples are looked at."),
        widget=UnfoldAdminSelectWidget,
    )
    flags = forms.MultipleChoiceField(
        label=gettext_lazy("Takes away"),
        required=False,
        help_text=gettext_lazy("What is taken away, or what a case is about."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Trigger
        fields = triggers.EDITABLE
        help_texts = {
            "threshold": gettext_lazy(
                "A share from 0 to 1 (0.02 is 2 %), or a number to count to."
            ),
            "window_seconds": gettext_lazy("What is looked at, up to now."),
            "held_seconds": gettext_lazy("Of a sustained share; 0 for all others."),
            "min_total": gettext_lazy("With fewer nothing is judged."),
            "cooldown_seconds": gettext_lazy("After it has acted it does nothing for so long."),
            "severity": gettext_lazy("1 is the worst, 4 the mildest."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = list(Flag.objects.values_list("name", flat=True))
        known = [(name, exposure.title(name)) for name in names]
        # Whatever stands in the row can be seen, and is refused by name when it is saved.
        strangers = {*self.instance.flags, self.instance.feature} - {*names, ""}
        known += [(name, name) for name in sorted(strangers)]
        self.fields["feature"].choices = [("", _("Everything")), *known]  # type: ignore[attr-defined]
        self.fields["flags"].choices = known  # type: ignore[attr-defined]
        self.initial["seen_version"] = self.instance.version

    def clean_reason(self) -> str:
        return str(self.cleaned_data["reason"]).strip()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        for field, words in triggers.wrong_with(self.instance):
            if field not in self.errors:
                self.add_error(field, words)
        seen = self.cleaned_data.get("seen_version")
        if seen is not None and (words := triggers.changed_meanwhile(self.instance, seen)):
            self.add_error(None, words)


@admin.register(Trigger)
class TriggerAdmin(ModelAdmin):
    """Neither added nor deleted: versions and judgments know them by name. They can be switched off."""

    form = TriggerForm
    list_display = ("titled", "verdict", "words", "does", "is_enabled", "version")
    list_display_links = ("titled",)
    list_filter = ("action", "is_enabled", "is_shadow")
    search_fields = ("name", "title")
    readonly_fields = ("name", "standing", "judgments", "history")
    # Django's own history would be empty: the versions are below.
    actions_detail_hide_default = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        seen: tuple[str, ...] = ("name", "standing", *triggers.EDITABLE)
        if self.has_change_permission(request, obj):
            seen += ("reason", "seen_version")
        return (*seen, "judgments", "history")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trigger]:
        # One query for the whole page, not one for each row and column.
        self._standings = triggers.standings()
        found: QuerySet[Trigger] = super().get_queryset(request)
        return found

    def _standing(self, trigger: Trigger) -> Standing | None:
        return self._standings.get(trigger.name) if trigger.is_enabled else None

    @admin.display(description=gettext_lazy("trigger"), ordering="title")
    def titled(self, trigger: Trigger) -> str:
        return format_html("{}<br><small>{}</small>", trigger.title, trigger.name)

    @display(description=gettext_lazy("now"), label=LABELS)
    def verdict(self, trigger: Trigger) -> tuple[str, str]:
        if not trigger.is_enabled:
            return "", _("Not evaluated")
        standing = self._standing(trigger)
        verdict = standing.verdict if standing else ""
        return verdict if verdict in LABELS else "", verdict_in_words(verdict)

    @admin.display(description=gettext_lazy("in words"))
    def words(self, trigger: Trigger) -> str:
        standing = self._standing(trigger)
        return said_in_words(standing) if standing else "–"

    @admin.display(description=gettext_lazy("does"), ordering="action")
    def does(self, trigger: Trigger) -> str:
        if trigger.is_shadow:
            return _("shadow: does nothing")
        what = ", ".join(exposure.title(flag) for flag in trigger.flags)
        action = trigger.get_action_display()
        return f"{action}: {what}" if what else action

    @admin.display(description=gettext_lazy("now"))
    def standing(self, trigger: Trigger) -> str:
        standing = self._standing(trigger)
        if standing is None:
            return str(self.verdict(trigger)[1])
        since = _("since %(at)s") % {"at": _at(standing.since)}
        verdict = verdict_in_words(standing.verdict)
        return format_html("<strong>{}</strong>, {}<br>{}", verdict, since, said_in_words(standing))

    @admin.display(description=gettext_lazy("what it came to"))
    def judgments(self, trigger: Trigger) -> str:
        found = Judgment.objects.filter(trigger_name=trigger.name).defer("evidence")
        rows = [
            {
                "at": one.judged_at,
                "page": reverse("admin:rollback_judgment_change", args=[one.pk]),
                "verdict": verdict_in_words(one.verdict),
                "words": one.words,
                "done": done_in_words(one),
            }
            for one in found[:JUDGMENTS_SHOWN]
        ]
        return render_to_string("admin/rollback/judgments.html", {"rows": rows})

    @admin.display(description=gettext_lazy("versions"))
    def history(self, trigger: Trigger) -> str:
        found = triggers.versions(trigger.name)
        older = [*found[1:], None]
        rows = [
            {
                "number": one.version,
                "at": one.saved_at,
                "who": one.actor_name,
                "reason": one.reason,
                "changes": _changes(before.rule, one.rule) if before else [],
            }
            for one, before in zip(found, older, strict=True)
        ]
        return render_to_string("admin/rollback/versions.html", {"rows": rows})

    def save_model(self, request: HttpRequest, obj: Trigger, form: Any, change: bool) -> None:
        obj.saved_as = triggers.save(  # type: ignore[attr-defined]
            wanted=obj,
            seen_version=form.cleaned_data["seen_version"],
            actor=runner.actor_of(request.user),
            reason=form.cleaned_data["reason"],
        )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """TriggerVersion is the history."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if obj.saved_as is not None:
            response: HttpResponse = super().response_change(request, obj)
            return response
        self.message_user(request, _("Nothing to change: it was so already."), messages.INFO)
        return HttpResponseRedirect(request.path)

    def _changeform_view(self, request: HttpRequest, object_id: str, *args: Any) -> HttpResponse:
        try:
            page: HttpResponse = super()._changeform_view(request, object_id, *args)
        except TriggerRefused as refused:  # somebody was faster by a moment
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.path)
        return page


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [
        f"{_label(field)}: {_shown(before.get(field))} → {_shown(after.get(field))}"
        for field in triggers.EDITABLE
        if before.get(field) != after.get(field)
    ]


def _label(field: str) -> str:
    return str(Trigger._meta.get_field(field).verbose_name)  # type: ignore[union-attr]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(exposure.title(name) for name in value) or "–"
    return "–" if value in (None, "") else str(value)


def done_in_words(judgment: Judgment) -> str:
    if judgment.action:
        known = {action.value: str(action.label) for action in Trigger.Action}
        return known.get(judgment.action, judgment.action)
    return _("nothing: %(why)s") % {"why": judgment.why_not} if judgment.why_not else "–"


@admin.register(Judgment)
class JudgmentAdmin(ReadOnlyAdmin):
    list_display = ("judged_at", "trigger_name", "verdict_shown", "words", "done", "incident")
    list_filter = ("verdict", "action", "trigger_name")
    list_select_related = ("incident",)
    search_fields = ("trigger_name", "words")
    date_hierarchy = "judged_at"
    fields = (
        "trigger_name", "version", "in_words", "said", "done", "is_shadow", "incident", "judged_at",
        "first_bad_at", "again", "seen",
    )  # fmt: skip

    @display(description=gettext_lazy("verdict"), ordering="verdict", label=LABELS)
    def verdict_shown(self, judgment: Judgment) -> tuple[str, str]:
        return judgment.verdict, self.in_words(judgment)

    @admin.display(description=gettext_lazy("verdict"))
    def in_words(self, judgment: Judgment) -> str:
        return verdict_in_words(judgment.verdict)

    @admin.display(description=gettext_lazy("done"))
    def done(self, judgment: Judgment) -> str:
        return done_in_words(judgment)

    @admin.display(description=gettext_lazy("in words"))
    def said(self, judgment: Judgment) -> str:
        return judged_in_words(judgment)

    @admin.display(description=gettext_lazy("to judge it again"))
    def again(self, judgment: Judgment) -> str:
        command = f"manage.py rollback replay --judgment {judgment.pk}"
        return format_html("<code>{}</code>", command)

    @admin.display(description=gettext_lazy("what it saw"))
    def seen(self, judgment: Judgment) -> str:
        try:
            rule, evidence = from_json(judgment.evidence)
        except NotReadable as error:
            return _("The evidence cannot be read: %(why)s") % {"why": error}
        context = {
            "rule": rule,
            "now": evidence.now,
            "since": evidence.since,
            "number": evidence.number,
            "trouble": evidence.trouble,
            "sides": [
                {"title": title, **_slots(slots)}
                for title, slots in (
                    (_("With the feature") if evidence.control else _("Counted"), evidence.slots),
                    (_("Without it"), evidence.control),
                )
                if slots
            ],
        }
        return render_to_string("admin/rollback/evidence.html", context)


def _slots(slots: Slots) -> dict[str, Any]:
    newest = sorted(slots, key=lambda slot: slot.begins_at, reverse=True)
    return {
        "total": sum(slot.total for slot in slots),
        "bad": sum(slot.bad for slot in slots),
        "count": len(slots),
        "shown": newest[:SLOTS_SHOWN],
        "more": max(0, len(slots) - SLOTS_SHOWN),
    }
