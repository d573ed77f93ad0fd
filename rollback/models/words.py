"""What is written to people: the letters' words, who is to get one, and whom no mail reaches."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from rollback.models.incidents import Incident


class MessageTemplate(models.Model):
    """One version of a letter's words in one language. Never changed: what was sent can be read again.

    is_the_houses: from this version on the words are again those that the house has by itself.
    """

    # One of `domain.letters`.
    key = models.CharField(_("letter"), max_length=30)
    language = models.CharField(_("language"), max_length=10)
    version = models.PositiveIntegerField(_("version"), editable=False)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    text = models.TextField(_("text"), blank=True, max_length=10_000)
    html = models.TextField(
        _("HTML"),
        blank=True,
        max_length=20_000,
        help_text=_("Usually empty: it is made from the text then."),
    )
    is_the_houses = models.BooleanField(_("the house's own words"), default=False, db_default=False)
    saved_at = models.DateTimeField(_("saved"), db_default=Now(), editable=False)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("saved by (person)"),
        editable=False,
    )
    saved_by_name = models.CharField(_("saved by"), max_length=150, editable=False)

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        ordering = ["key", "language", "-version"]
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["key", "language", "version"], name="message_template_once"
            ),
            models.CheckConstraint(
                name="message_template_has_words",
                condition=Q(is_the_houses=True, subject="", text="", html="")
                | (Q(is_the_houses=False) & ~Q(subject="") & ~Q(text="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}, {self.language}, {self.version}"


class Sending(models.Model):
    """One update to many people: which letter, to whom of an incident, and how far it is.

    number: the how manieth of that letter about that incident. reasons: of the affected people; empty:
    not to affected people. Its notifications are written in the transaction that prepares it. versions: of
    the letter by language, as it was released; 0 is the house's own. Empty: the newest goes out.
    """

    class State(models.TextChoices):
        HELD = "held", _("prepared")
        GOING = "going", _("going out")
        PAUSED = "paused", _("paused")
        STOPPED = "stopped", _("stopped")
        DONE = "done", _("done")

    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sendings",
        verbose_name=_("incident"),
    )
    # One of `domain.letters`.
    letter = models.CharField(_("letter"), max_length=30)
    number = models.PositiveIntegerField(_("number"))
    reasons = ArrayField(
        models.CharField(max_length=20), default=list, blank=True, verbose_name=_("reasons")
    )
    # What the sender adds, by language; where it is missing, the sentence is left out.
    news = models.JSONField(_("news"), default=dict, blank=True)
    next_news_at = models.DateTimeField(_("next news"), null=True, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.HELD, db_default="held"
    )
    prepared_at = models.DateTimeField(_("prepared"), db_default=Now(), editable=False)
    prepared_by_name = models.CharField(_("prepared by"), max_length=150)
    released_at = models.DateTimeField(_("released"), null=True, blank=True, editable=False)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("released by (person)"),
    )
    released_by_name = models.CharField(_("released by"), max_length=150, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)
    versions = models.JSONField(
        _("versions of the letter"), default=dict, db_default={}, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("sending")
        verbose_name_plural = _("sendings")
        ordering = ["-prepared_at", "-pk"]
        default_permissions = ("view",)
        permissions = [("send", "Can send mails to the affected people")]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "letter", "number"],
                name="sending_once",
                nulls_distinct=True,
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.letter}"


class Notification(models.Model):
    """One row of the outbox: one person is to be told one thing, once.

    user: whose address, language and zone are asked for when it goes out. Without one: email and
    language. values: what the letter says to everybody of this kind; the rest is looked up for the
    person when it goes out. channel: it goes to a program and not as mail.
    """

    class State(models.TextChoices):
        HELD = "held", _("held back")
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        NOT_NEEDED = "not needed", _("not needed any more")
        DEAD = "dead", _("given up")
        STOPPED = "stopped", _("stopped")

    class Urgency(models.IntegerChoices):
        PAGE = 0, _("on call")
        STAFF = 1, _("staff")
        PEOPLE = 5, _("people")

    sending = models.ForeignKey(
        Sending,
        on_delete=models.CASCADE,
        related_name="notifications",
        verbose_name=_("sending"),
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    email = models.EmailField(_("address"), blank=True, db_default="", default="")
    channel = models.ForeignKey(
        "rollback.Channel",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("channel"),
        db_index=False,
    )
    language = models.CharField(_("language"), max_length=10, blank=True, db_default="", default="")
    reasons = ArrayField(
        models.CharField(max_length=20),
        default=list,
        blank=True,
        db_default=[],
        verbose_name=_("reasons"),
    )
    values = models.JSONField(_("values"), default=dict, db_default={})
    urgency = models.PositiveSmallIntegerField(
        _("urgency"), choices=Urgency, default=Urgency.PEOPLE, db_default=5
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.WAITING, db_default="waiting"
    )
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, db_default=0)
    # By the database's clock: not before then. A worker's lease, or the wait after a failure.
    next_at = models.DateTimeField(_("due"), db_default=Now())
    message_id = models.CharField(
        _("Message-ID"), max_length=200, blank=True, default="", db_default=""
    )
    # Which words it had: 0 is the house's own. Empty: not sent yet.
    version = models.PositiveIntegerField(_("version of the letter"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    error = models.TextField(_("last error"), blank=True, default="", db_default="")
    bounced_at = models.DateTimeField(_("came back"), null=True, blank=True)
    bounce = models.CharField(
        _("why it came back"), max_length=200, blank=True, default="", db_default=""
    )

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("outbox")
        ordering = ["-pk"]
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(fields=["sending", "user"], name="notification_user_once"),
            models.UniqueConstraint(
                "sending",
                Lower("email"),
                condition=Q(user=None, channel=None),
                name="notification_address_once",
            ),
            models.UniqueConstraint(
                fields=["sending", "channel"], name="notification_channel_once"
            ),
            models.CheckConstraint(
                name="notification_has_one_recipient",
                condition=Q(user__isnull=False, email="", channel=None)
                | (Q(user=None, channel=None) & ~Q(email=""))
                | Q(user=None, email="", channel__isnull=False),
            ),
        ]
        indexes = [
            # In the order in which they are taken.
            models.Index(
                F("urgency"),
                F("tries"),
                F("next_at"),
                condition=Q(state="waiting"),
                name="notification_due",
            ),
            models.Index(fields=["sending", "state"], name="notification_progress"),
            models.Index(fields=["id"], condition=Q(state="dead"), name="notification_given_up"),
            # To whom no account leads: whoever looks for an address reads no more than its own.
            models.Index(
                Lower("email"),
                condition=Q(user=None, channel=None),
                name="notification_address",
            ),
            models.Index(
                fields=["message_id"], condition=~Q(message_id=""), name="notification_message"
            ),
        ]

    def __str__(self) -> str:
        # Nobody's address: this stands in logs.
        return f"{self.sending_id}.{self.pk}"


class DeafAddress(models.Model):
    """An address that mails came back from, or whose owner complained of them."""

    class Why(models.TextChoices):
        BOUNCED = "bounced", _("mail came back")
        COMPLAINED = "complained", _("complained of the mail")

    email = models.EmailField(_("address"))
    why = models.CharField(_("why"), max_length=10, choices=Why)
    said = models.CharField(_("what was said"), max_length=200, blank=True)
    since = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("address that no mail reaches")
        verbose_name_plural = _("addresses that no mail reaches")
        ordering = ["-since"]
        default_permissions = ("view", "delete")
        constraints = [models.UniqueConstraint(Lower("email"), "why", name="deaf_address_once")]

    def __str__(self) -> str:
        return f"{self.pk}"


class NoNews(models.Model):
    """Somebody wants no letters but those that they need."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
    )
    since = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        default_permissions = ()
        verbose_name = _("no news wanted")
        verbose_name_plural = _("no news wanted")

    def __str__(self) -> str:
        return f"{self.user_id}"


class Stakeholder(models.Model):
    """Somebody of the management who gets the briefings; needs no login."""

    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail address"))
    language = models.CharField(_("language"), max_length=10)
    is_active = models.BooleanField(_("gets briefings"), default=True, db_default=True)
    # Each mail says both to them: they have not asked for it themselves.
    added_at = models.DateTimeField(_("added"), db_default=Now(), editable=False)
    added_by_name = models.CharField(
        _("added by"), max_length=150, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        verbose_name = _("stakeholder")
        verbose_name_plural = _("stakeholders")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="stakeholder_once",
                violation_error_message=_("This address is on the list already."),
            )
        ]

    def __str__(self) -> str:
        return self.name
