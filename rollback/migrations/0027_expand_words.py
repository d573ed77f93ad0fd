"""Letters, the outbox, who is called, and what the public reads. Undoing loses all of them: who was told what,
and the words that the school has written.
"""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import rollback.models.oncall


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0026_expand_purged"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80, unique=True, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("slack", "Slack, Mattermost and their like"),
                            ("pagerduty", "PagerDuty Events and its like"),
                            ("generic", "JSON, signed"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("url", models.URLField(max_length=500, verbose_name="address")),
                ("secret", models.CharField(blank=True, max_length=200, verbose_name="key")),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
            ],
            options={
                "verbose_name": "channel",
                "verbose_name_plural": "channels",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="OnCallPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "escalate_minutes",
                    models.PositiveSmallIntegerField(
                        db_default=5,
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(120),
                        ],
                        verbose_name="minutes until the next one is called",
                    ),
                ),
                (
                    "page_severity",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "1: nobody can enroll, or data is in danger"),
                            (2, "2: a feature is off"),
                            (3, "3: some are troubled"),
                            (4, "4: to be looked at"),
                        ],
                        db_default=2,
                        default=2,
                        verbose_name="calls from severity",
                    ),
                ),
                (
                    "first_update_minutes",
                    models.PositiveSmallIntegerField(
                        db_default=5, default=5, verbose_name="minutes until the first public word"
                    ),
                ),
                (
                    "update_minutes",
                    models.PositiveSmallIntegerField(
                        db_default=20, default=20, verbose_name="minutes between public words"
                    ),
                ),
                (
                    "test_weekday",
                    models.PositiveSmallIntegerField(
                        db_default=0,
                        default=0,
                        validators=[django.core.validators.MaxValueValidator(6)],
                        verbose_name="weekday of the test page",
                    ),
                ),
                (
                    "test_hour",
                    models.PositiveSmallIntegerField(
                        db_default=10,
                        default=10,
                        validators=[django.core.validators.MaxValueValidator(23)],
                        verbose_name="hour of the test page",
                    ),
                ),
                (
                    "by_itself",
                    models.JSONField(
                        db_default=[],
                        default=list,
                        verbose_name="letters that go out by themselves",
                    ),
                ),
            ],
            options={
                "verbose_name": "on-call policy",
                "verbose_name_plural": "on-call policy",
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.AlterField(
            model_name="incidentevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("opened", "opened"),
                    ("judged", "a trigger fired"),
                    ("stepped", "a share was changed"),
                    ("killed", "switched off"),
                    ("contained", "off everywhere"),
                    ("plan", "plan"),
                    ("phase", "phase"),
                    ("people", "affected people"),
                    ("verified", "verified"),
                    ("not verified", "verification failed"),
                    ("acknowledged", "acknowledged"),
                    ("decided", "decided"),
                    ("note", "note"),
                    ("trip", "a process lost the database"),
                    ("mailed", "people were told"),
                    ("paged", "somebody was called"),
                    ("published", "the public was told"),
                    ("resolved", "resolved"),
                    ("reviewed", "reviewed"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        migrations.CreateModel(
            name="Banner",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("info", "information"),
                            ("warning", "warning"),
                            ("danger", "danger"),
                        ],
                        default="info",
                        max_length=10,
                        verbose_name="level",
                    ),
                ),
                (
                    "audience",
                    models.CharField(
                        choices=[
                            ("everybody", "everybody"),
                            ("users", "whoever is logged in"),
                            ("staff", "staff"),
                        ],
                        default="everybody",
                        max_length=10,
                        verbose_name="for",
                    ),
                ),
                ("texts", models.JSONField(verbose_name="texts")),
                ("is_dismissible", models.BooleanField(default=True, verbose_name="can be closed")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "written_by_name",
                    models.CharField(editable=False, max_length=150, verbose_name="written by"),
                ),
            ],
            options={
                "verbose_name": "banner",
                "verbose_name_plural": "banners",
                "ordering": ["-starts_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))),
                        name="banner_in_order",
                        violation_error_message="It ends after it begins.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DeafAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="address")),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("bounced", "mail came back"),
                            ("complained", "complained of the mail"),
                        ],
                        max_length=10,
                        verbose_name="why",
                    ),
                ),
                (
                    "said",
                    models.CharField(blank=True, max_length=200, verbose_name="what was said"),
                ),
                (
                    "since",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="since",
                    ),
                ),
            ],
            options={
                "verbose_name": "address that no mail reaches",
                "verbose_name_plural": "addresses that no mail reaches",
                "ordering": ["-since"],
                "default_permissions": ("view", "delete"),
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"),
                        models.F("why"),
                        name="deaf_address_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("headings", models.JSONField(verbose_name="headings")),
                ("texts", models.JSONField(verbose_name="texts")),
                (
                    "components",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50),
                        default=list,
                        size=None,
                        verbose_name="parts",
                    ),
                ),
                ("announced_from", models.DateTimeField(verbose_name="announced from")),
                ("starts_at", models.DateTimeField(verbose_name="begins")),
                ("ends_at", models.DateTimeField(verbose_name="ends")),
                (
                    "cancelled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="cancelled"),
                ),
                (
                    "planned_by_name",
                    models.CharField(editable=False, max_length=150, verbose_name="planned by"),
                ),
            ],
            options={
                "verbose_name": "planned maintenance",
                "verbose_name_plural": "planned maintenance",
                "ordering": ["-starts_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("announced_from__lte", models.F("starts_at")),
                            ("starts_at__lt", models.F("ends_at")),
                        ),
                        name="maintenance_in_order",
                        violation_error_message="It is announced, then begins, then ends.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NoNews",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "since",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="since",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "no news wanted",
                "verbose_name_plural": "no news wanted",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Page",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("incident", "incident"),
                            ("test", "weekly test"),
                            ("silent", "the watch is silent"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "opened_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="opened",
                    ),
                ),
                (
                    "level",
                    models.PositiveSmallIntegerField(
                        db_default=0, default=0, verbose_name="called so far"
                    ),
                ),
                (
                    "escalates_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="the next one is called"
                    ),
                ),
                (
                    "acknowledged_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="acknowledged"),
                ),
                (
                    "acknowledged_by_name",
                    models.CharField(blank=True, max_length=150, verbose_name="acknowledged by"),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="acknowledged by (person)",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pages",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "page",
                "verbose_name_plural": "pages",
                "ordering": ["-opened_at", "-pk"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="PublicUpdate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("investigating", "Investigating"),
                            ("identified", "Identified"),
                            ("monitoring", "Monitoring"),
                            ("resolved", "Resolved"),
                        ],
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "components",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50),
                        default=list,
                        size=None,
                        verbose_name="parts",
                    ),
                ),
                ("headings", models.JSONField(verbose_name="headings")),
                ("texts", models.JSONField(verbose_name="texts")),
                (
                    "published_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="published",
                    ),
                ),
                (
                    "published_by_name",
                    models.CharField(max_length=150, verbose_name="published by"),
                ),
                (
                    "next_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next update"),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="public_updates",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by (person)",
                    ),
                ),
            ],
            options={
                "verbose_name": "public update",
                "verbose_name_plural": "public updates",
                "ordering": ["-published_at", "-pk"],
                "default_permissions": ("view", "add"),
            },
        ),
        migrations.CreateModel(
            name="Sending",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("letter", models.CharField(max_length=30, verbose_name="letter")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="reasons",
                    ),
                ),
                ("news", models.JSONField(blank=True, default=dict, verbose_name="news")),
                (
                    "next_news_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next news"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "prepared"),
                            ("going", "going out"),
                            ("paused", "paused"),
                            ("stopped", "stopped"),
                            ("done", "done"),
                        ],
                        db_default="held",
                        default="held",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "prepared_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="prepared",
                    ),
                ),
                ("prepared_by_name", models.CharField(max_length=150, verbose_name="prepared by")),
                (
                    "released_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="released"
                    ),
                ),
                (
                    "released_by_name",
                    models.CharField(blank=True, max_length=150, verbose_name="released by"),
                ),
                (
                    "ended_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="ended"
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sendings",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
                (
                    "released_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="released by (person)",
                    ),
                ),
            ],
            options={
                "verbose_name": "sending",
                "verbose_name_plural": "sendings",
                "ordering": ["-prepared_at", "-pk"],
                "permissions": [("send", "Can send mails to the affected people")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="PageCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("level", models.PositiveSmallIntegerField(verbose_name="number")),
                (
                    "called_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="called",
                    ),
                ),
                (
                    "page",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="rollback.page",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "sending",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="rollback.sending",
                        verbose_name="sending",
                    ),
                ),
            ],
            options={
                "verbose_name": "call",
                "verbose_name_plural": "calls",
                "ordering": ["page", "level"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=254,
                        verbose_name="address",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=10,
                        verbose_name="language",
                    ),
                ),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                        verbose_name="reasons",
                    ),
                ),
                ("values", models.JSONField(db_default={}, default=dict, verbose_name="values")),
                (
                    "urgency",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "on call"), (1, "staff"), (5, "people")],
                        db_default=5,
                        default=5,
                        verbose_name="urgency",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "held back"),
                            ("waiting", "waiting"),
                            ("sent", "sent"),
                            ("not needed", "not needed any more"),
                            ("dead", "given up"),
                            ("stopped", "stopped"),
                        ],
                        db_default="waiting",
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "tries",
                    models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="tries"),
                ),
                (
                    "next_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="due"
                    ),
                ),
                (
                    "message_id",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=200,
                        verbose_name="Message-ID",
                    ),
                ),
                (
                    "version",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="version of the letter"
                    ),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                (
                    "error",
                    models.TextField(
                        blank=True, db_default="", default="", verbose_name="last error"
                    ),
                ),
                (
                    "bounced_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="came back"),
                ),
                (
                    "bounce",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=200,
                        verbose_name="why it came back",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="rollback.channel",
                        verbose_name="channel",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "sending",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to="rollback.sending",
                        verbose_name="sending",
                    ),
                ),
            ],
            options={
                "verbose_name": "notification",
                "verbose_name_plural": "outbox",
                "ordering": ["-pk"],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="Stakeholder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                (
                    "is_active",
                    models.BooleanField(
                        db_default=True, default=True, verbose_name="gets briefings"
                    ),
                ),
            ],
            options={
                "verbose_name": "stakeholder",
                "verbose_name_plural": "stakeholders",
                "ordering": ["name", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"),
                        name="stakeholder_once",
                        violation_error_message="This address is on the list already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=30, verbose_name="letter")),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                ("version", models.PositiveIntegerField(editable=False, verbose_name="version")),
                ("subject", models.CharField(blank=True, max_length=200, verbose_name="subject")),
                ("text", models.TextField(blank=True, max_length=10000, verbose_name="text")),
                (
                    "html",
                    models.TextField(
                        blank=True,
                        help_text="Usually empty: it is made from the text then.",
                        max_length=20000,
                        verbose_name="HTML",
                    ),
                ),
                (
                    "is_the_houses",
                    models.BooleanField(
                        db_default=False, default=False, verbose_name="the house's own words"
                    ),
                ),
                (
                    "saved_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="saved",
                    ),
                ),
                (
                    "saved_by_name",
                    models.CharField(editable=False, max_length=150, verbose_name="saved by"),
                ),
                (
                    "saved_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="saved by (person)",
                    ),
                ),
            ],
            options={
                "verbose_name": "letter",
                "verbose_name_plural": "letters",
                "ordering": ["key", "language", "-version"],
                "default_permissions": ("view", "change"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("key", "language", "version"), name="message_template_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("html", ""), ("is_the_houses", True), ("subject", ""), ("text", "")
                            ),
                            models.Q(
                                ("is_the_houses", False),
                                models.Q(("subject", ""), _negated=True),
                                models.Q(("text", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="message_template_has_words",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OnCallShift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "level",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(9),
                        ],
                        verbose_name="is called as number",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "handed_over_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="handed over"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "on-call shift",
                "verbose_name_plural": "on-call shifts",
                "ordering": ["starts_at", "level"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))),
                        name="shift_in_order",
                        violation_error_message="A shift ends after it begins.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("level", "="),
                            (
                                rollback.models.oncall.TsTzRange(
                                    "starts_at",
                                    "ends_at",
                                    django.contrib.postgres.fields.ranges.RangeBoundary(),
                                ),
                                "&&",
                            ),
                        ],
                        name="shift_one_at_a_time",
                        violation_error_message="Somebody else is called with this number at that time.",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="page",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "incident")),
                fields=("incident",),
                name="page_of_incident_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="page",
            constraint=models.UniqueConstraint(
                models.F("kind"),
                condition=models.Q(("closed_at", None), ("kind", "silent")),
                name="page_silent_once",
            ),
        ),
        migrations.AddIndex(
            model_name="publicupdate",
            index=models.Index(
                models.OrderBy(models.F("published_at"), descending=True),
                name="public_update_newest",
            ),
        ),
        migrations.AddConstraint(
            model_name="sending",
            constraint=models.UniqueConstraint(
                fields=("incident", "letter", "number"), name="sending_once", nulls_distinct=True
            ),
        ),
        migrations.AddConstraint(
            model_name="pagecall",
            constraint=models.UniqueConstraint(fields=("page", "level"), name="page_call_once"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                models.F("urgency"),
                models.F("tries"),
                models.F("next_at"),
                condition=models.Q(("state", "waiting")),
                name="notification_due",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["sending", "state"], name="notification_progress"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("message_id", ""), _negated=True),
                fields=["message_id"],
                name="notification_message",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                fields=("sending", "user"), name="notification_user_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                models.F("sending"),
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("channel", None), ("user", None)),
                name="notification_address_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                fields=("sending", "channel"), name="notification_channel_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("channel", None), ("email", ""), ("user__isnull", False)),
                    models.Q(
                        ("channel", None), ("user", None), models.Q(("email", ""), _negated=True)
                    ),
                    models.Q(("channel__isnull", False), ("email", ""), ("user", None)),
                    _connector="OR",
                ),
                name="notification_has_one_recipient",
            ),
        ),
    ]
