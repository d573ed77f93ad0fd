"""Who waits for a taken time or a place in a full course. Undoing loses who waits, and what is offered."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0006_expand_group_lessons"),
        ("scheduling", "0003_expand_idempotency_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="WaitlistEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="time")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("offered", "Offered"),
                            ("taken", "Taken"),
                            ("expired", "Expired"),
                            ("left", "Left"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="waiting since")),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="over since"),
                ),
                ("offered_at", models.DateTimeField(blank=True, null=True, verbose_name="offered")),
                (
                    "offer_expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offered until"),
                ),
                (
                    "offer_sent_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offer mailed"),
                ),
                (
                    "offer_tries",
                    models.PositiveSmallIntegerField(
                        default=0, verbose_name="tries to mail the offer"
                    ),
                ),
                (
                    "offer_next_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="offer tried again"),
                ),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waitlist_entries",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "hold",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="enrollment.lesson",
                        verbose_name="held lesson",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waitlist_entries",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waitlist_entries",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "waitlist entry",
                "verbose_name_plural": "waitlist",
                "ordering": ["created_at", "pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "waiting")),
                        fields=["course", "teacher", "starts_at", "created_at"],
                        name="waitlist_line",
                    ),
                    models.Index(
                        condition=models.Q(("status", "offered")),
                        fields=["course", "offer_expires_at"],
                        name="waitlist_offers",
                    ),
                    models.Index(fields=["ended_at"], name="waitlist_over"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ("waiting", "offered"))),
                        fields=("student", "course", "teacher", "starts_at"),
                        name="waitlist_waits_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("starts_at__isnull", True), ("teacher__isnull", True)),
                            models.Q(("starts_at__isnull", False), ("teacher__isnull", False)),
                            _connector="OR",
                        ),
                        name="waitlist_time_or_place",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "offered"), _negated=True),
                            models.Q(
                                ("offer_expires_at__isnull", False), ("offered_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_offer_has_an_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ended_at__isnull", True), ("status__in", ("waiting", "offered"))
                            ),
                            models.Q(
                                models.Q(("status__in", ("waiting", "offered")), _negated=True),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_ends_once",
                    ),
                ],
            },
        ),
    ]
