"""Messages between student and teacher. Undoing loses every message, who read it, and since when an
enrollment is over."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0002_expand_progress"),
    ]

    operations = [
        migrations.CreateModel(
            name="Thread",
            fields=[],
            options={
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("enrollment.enrollment",),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="ended_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="over since"
            ),
        ),
        migrations.CreateModel(
            name="MessageAccess",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField(max_length=1000, verbose_name="reason")),
                (
                    "opened_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="opened"
                    ),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="message_accesses",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="opened by",
                    ),
                ),
            ],
            options={
                "verbose_name": "opened conversation",
                "verbose_name_plural": "opened conversations",
                "ordering": ["-opened_at", "-pk"],
                "default_permissions": ("view", "add"),
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("body", models.TextField(max_length=4000, verbose_name="message")),
                (
                    "sent_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="sent"
                    ),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages_sent",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="from",
                    ),
                ),
            ],
            options={
                "verbose_name": "message",
                "verbose_name_plural": "messages",
                "ordering": ["pk"],
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["enrollment", "id"], name="message_thread"),
                    models.Index(fields=["sender", "sent_at"], name="message_sender"),
                    models.Index(fields=["sent_at"], name="message_sent"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reader",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seen_to", models.BigIntegerField(default=0, verbose_name="read up to")),
                ("told_to", models.BigIntegerField(default=0, verbose_name="told up to")),
                (
                    "notice_tries",
                    models.PositiveSmallIntegerField(
                        default=0, verbose_name="tries to mail the notice"
                    ),
                ),
                (
                    "notice_next_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="notice due"),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="readers",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reads",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "reader",
                "verbose_name_plural": "readers",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("notice_next_at__isnull", False)),
                        fields=["notice_next_at"],
                        name="reader_untold",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "enrollment"), name="thread_reader_once"
                    )
                ],
            },
        ),
    ]
