"""One of everything in the running sample school, by the names of the table of permissions."""

from collections.abc import Mapping
from typing import LiteralString

from django.core.signing import Signer

from tests.browser.school import School

STUDENT = "student@school.example"
TEACHER = "teacher@school.example"
# What a new sample school has none of; each once, however often it is asked for.
MADE: tuple[LiteralString, ...] = (
    """INSERT INTO account_emailaddress (email, verified, "primary", user_id)
       SELECT email, true, true, id FROM enrollment_user WHERE email = 'student@school.example'
           ON CONFLICT DO NOTHING""",
    """INSERT INTO holidays_holiday (name, names, kind, scope, source_key, first_on, last_on, note)
       SELECT 'Snow', '{}', 'other', 'school', '', current_date + 40, current_date + 41, 'If it snows.'
        WHERE NOT EXISTS (SELECT FROM holidays_holiday)""",
    """INSERT INTO holidays_holidaysource (kind, title, country, subdivision, categories)
       SELECT 'csv', 'Breaks', '', '', '[]' WHERE NOT EXISTS (SELECT FROM holidays_holidaysource)""",
    """INSERT INTO holidays_holidayimport (source_id, first_year, last_year, version, changes)
       SELECT id, 2026, 2026, 'breaks.csv', '[]' FROM holidays_holidaysource
        WHERE NOT EXISTS (SELECT FROM holidays_holidayimport) ORDER BY id LIMIT 1""",
    """INSERT INTO enrollment_apitoken (digest, token_key, created, expiry, name, user_id)
       SELECT repeat('a', 128), 'aaaaaaaaaaaaaaa', now(), now() + interval '1 day', 'A script', id
         FROM enrollment_user WHERE email = 'student@school.example'
           ON CONFLICT DO NOTHING""",
    """INSERT INTO rollback_incident (title, cause, opened_at, opened_by_name, resolved_by_name, resolution)
       SELECT 'Wrong times', 'Lessons were booked twice.', now(), 'A watch', '', ''
        WHERE NOT EXISTS (SELECT FROM rollback_incident WHERE resolved_at IS NULL)""",
    """INSERT INTO rollback_oncallshift (user_id, level, starts_at, ends_at, handed_over_at)
       SELECT id, 1, now() - interval '1 day', now() + interval '3 days', now() FROM enrollment_user
        WHERE email = 'admin@school.example' AND NOT EXISTS (SELECT FROM rollback_oncallshift)""",
    # Not in use: nothing is sent to it.
    """INSERT INTO rollback_channel (name, kind, url, secret, is_active)
       SELECT 'Chat', 'slack', 'https://hooks.example/services/x', '', false
        WHERE NOT EXISTS (SELECT FROM rollback_channel)""",
    """INSERT INTO rollback_oncallpolicy (id)
       SELECT 1 WHERE NOT EXISTS (SELECT FROM rollback_oncallpolicy)""",
    """INSERT INTO rollback_page (kind, acknowledged_by_name) SELECT 'test', ''
        WHERE NOT EXISTS (SELECT FROM rollback_page WHERE kind = 'test')""",
    """INSERT INTO rollback_maintenance (headings, texts, components, announced_from, starts_at, ends_at,
                                        planned_by_name)
       SELECT '{"en": "Planned maintenance"}', '{"en": "We work on it."}', '{school}',
              now() + interval '20 days', now() + interval '30 days', now() + interval '31 days', 'office'
        WHERE NOT EXISTS (SELECT FROM rollback_maintenance)""",
    """INSERT INTO rollback_banner (level, audience, texts, is_dismissible, starts_at, ends_at,
                                   written_by_name)
       SELECT 'info', 'everybody', '{"en": "The school is closed on Monday."}', true,
              now() + interval '30 days', now() + interval '31 days', 'office'
        WHERE NOT EXISTS (SELECT FROM rollback_banner)""",
    """INSERT INTO rollback_judgment (trigger_name, version, verdict, words, evidence, action, why_not,
                                     is_shadow, judged_at)
       SELECT 'complaints', 1, 'OK', '0, not more than 5.', '{"rule": {"name": "complaints", "version": 1,
              "metric": "complaints", "method": "more than", "threshold": 5, "window_seconds": 3600},
              "now": "2026-11-26T09:00:00+00:00", "slots": [[1795683600, 10, 100, 20]], "control": [],
              "number": 0.0, "first_at": null, "trouble": ""}', '', '', false, now()
        WHERE NOT EXISTS (SELECT FROM rollback_judgment)""",
    """INSERT INTO rollback_complaint (kind, text, path, features, reported_at, done_by_name, answer,
                                       by_id, reporter)
       SELECT 'wrong', 'My lesson of Tuesday is shown on Monday.', '/calendar/', '{}', now(), '', '', id,
              'u:' || id
         FROM enrollment_user WHERE email = 'student@school.example'
          AND NOT EXISTS (SELECT FROM rollback_complaint)""",
    """INSERT INTO rollback_verification (incident_id, by_name, started_at, ended_at, passed)
       SELECT min(id), 'A watch', now(), now(), false FROM rollback_incident
        WHERE NOT EXISTS (SELECT FROM rollback_verification)""",
    """INSERT INTO rollback_proberesult (verification_id, probe, passed, words, milliseconds,
                                          limit_milliseconds, facts)
       SELECT min(v.id), p.probe, p.passed, p.words, 120, 10000, p.facts::jsonb
         FROM rollback_verification v, (VALUES
              ('flow', true, 'list → course → form → sent → confirmed', '{"compared": true}'),
              ('rows', true, 'There is no baseline yet.', '{"compared": false}'),
              ('orphans', false, 'Rows whose other half is gone.', '{"compared": true}')
              ) AS p (probe, passed, words, facts)
        WHERE NOT EXISTS (SELECT FROM rollback_proberesult) GROUP BY 2, 3, 4, 7""",
    """INSERT INTO rollback_sending (incident_id, letter, number, prepared_by_name, state, released_by_name,
                                     reasons, news)
       SELECT min(id), 'restored', 1, 'A watch', 'stopped', '', '{}', '{}' FROM rollback_incident
        WHERE NOT EXISTS (SELECT FROM rollback_sending WHERE letter = 'restored')""",
    """INSERT INTO rollback_notification (sending_id, user_id, state, tries, error)
       SELECT (SELECT min(id) FROM rollback_sending WHERE letter = 'restored'), id, 'dead', 12,
              '550 no such mailbox'
         FROM enrollment_user WHERE email = 'student@school.example'
           ON CONFLICT DO NOTHING""",
    """INSERT INTO rollback_deafaddress (email, why, said)
       SELECT 'student@elsewhere.example', 'complained', '' ON CONFLICT DO NOTHING""",
    # Over long ago, so that nobody goes on with it.
    """INSERT INTO rollback_plan (direction, mode, flags, drain_seconds, state, note, actor_name, actor_kind,
                                  reason, ended_at, lease_owner)
       SELECT 'down', 'kill', '{ENABLE_CALENDAR_DISPLAY}', 600, 'done', '', 'A watch', 'person',
              'Too slow.', now(), ''
        WHERE NOT EXISTS (SELECT FROM rollback_plan)""",
    """INSERT INTO rollback_affectedperson (incident_id, user_id, reasons)
       SELECT (SELECT min(id) FROM rollback_incident WHERE resolved_at IS NULL), id, '{lesson,exposed}'
         FROM enrollment_user WHERE email = 'student@school.example' ON CONFLICT DO NOTHING""",
    """INSERT INTO rollback_sending (incident_id, letter, number, reasons, news, prepared_by_name,
                                     released_by_name)
       SELECT min(id), 'enrollment', 1, '{lesson}', '{}', 'A watch', '' FROM rollback_incident
        WHERE resolved_at IS NULL
       HAVING NOT EXISTS (SELECT FROM rollback_sending WHERE letter = 'enrollment')""",
    """INSERT INTO rollback_notification (sending_id, user_id, reasons, state)
       SELECT (SELECT min(id) FROM rollback_sending WHERE letter = 'enrollment'), id, '{lesson,exposed}',
              'held'
         FROM enrollment_user WHERE email = 'student@school.example' ON CONFLICT DO NOTHING""",
    """INSERT INTO rollback_stakeholder (name, email, language)
       SELECT 'Marta Rossi', 'board@school.example', 'en'
        WHERE NOT EXISTS (SELECT FROM rollback_stakeholder)""",
    """INSERT INTO rollback_incidentaction (incident_id, text, who_name)
       SELECT min(id), 'Test the clocks', 'The office' FROM rollback_incident WHERE resolved_at IS NULL
       HAVING NOT EXISTS (SELECT FROM rollback_incidentaction)""",
    """INSERT INTO enrollment_message (enrollment_id, sender_id, body, sent_at)
       SELECT e.id, s.user_id, 'Shall we play the second piece?', now() FROM enrollment_enrollment e
         JOIN enrollment_student s ON s.id = e.student_id JOIN enrollment_user su ON su.id = s.user_id
         JOIN enrollment_teacher t ON t.id = e.teacher_id JOIN enrollment_user tu ON tu.id = t.user_id
        WHERE e.status = 'confirmed'
          AND (su.email = 'student@school.example' OR tu.email = 'teacher@school.example')
          AND NOT EXISTS (SELECT FROM enrollment_message m WHERE m.enrollment_id = e.id)""",
    """INSERT INTO enrollment_messageaccess (enrollment_id, user_id, reason, opened_at)
       SELECT m.enrollment_id, u.id, 'A complaint.', now() FROM enrollment_message m, enrollment_user u
        WHERE u.email = 'admin@school.example'
          AND NOT EXISTS (SELECT FROM enrollment_messageaccess) LIMIT 1""",
    # Over and back home, so that nothing is off for them, and no runner takes them up.
    """INSERT INTO rollback_ledgerentry (app, kind, "table", "column", archived_as, shape, foreign_keys, rows,
                                         digest, sealed_at, back_at, report)
       SELECT 'holidays', 'table', 'holidays_holiday', '', 'archive.holidays_holiday', '{}',
              '{"holiday_fk": "FOREIGN KEY (teacher_id) REFERENCES enrollment_teacher(id)"}', 34, 17, now(),
              now(), '{"moved": true}'
        WHERE NOT EXISTS (SELECT FROM rollback_ledgerentry)""",
    """INSERT INTO rollback_orphan (entry_id, foreign_key, row)
       SELECT min(id), 'holiday_fk', '{"id": 7, "name": "Summer"}' FROM rollback_ledgerentry
       HAVING NOT EXISTS (SELECT FROM rollback_orphan)""",
    """INSERT INTO rollback_phaserun (target, mode, status, incident_id, reason, operator_name, approver_name,
                                      finished_at, progress, before, proof, error, lease_owner)
       SELECT 3, 'kill', 'failed', (SELECT min(id) FROM rollback_incident WHERE resolved_at IS NULL),
              'Too slow.', 'The office', '', now(),
              '[{"name": "pages", "state": "done", "words": "", "seconds": 0.1},
                {"name": "gone", "state": "failed", "words": "A process does not answer."}]',
              '{"blast": {"users": 3, "drafts": 1, "teachers": 1, "holds": 0, "mails": 3}, "total": 34,
                "rows": {"holidays_holiday": 34}, "forecast": null, "holders": []}',
              '{"blocked": 0.2, "equal": true, "different": [], "compared": {"holidays_holiday":
                {"before": [34, "17"], "after": [34, "17"]}}}', 'A process does not answer.', ''
        WHERE NOT EXISTS (SELECT FROM rollback_phaserun)""",
    """INSERT INTO rollback_backup (name, status, as_of, finished_at, size, rows, seconds, error)
       SELECT 'sample', 'verified', now(), now(), 1200000, 8000, '{"dump": 1.5, "restore": 2}', ''
        WHERE NOT EXISTS (SELECT FROM rollback_backup)""",
    """INSERT INTO rollback_rehearsal (finished_at, passed, graph, backup, figures, report, picture, error)
       SELECT now(), true, repeat('a', 64), 'sample', '{"1": {"seconds": 0.4, "rows": 8000}}',
              E'# Rehearsed\n\nAll went **well**.\n\n| phase | seconds |\n|---|---|\n| 1 | 0.4 |\n',
              '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 1"><path d="M0 0h4v1H0"/></svg>',
              ''
        WHERE NOT EXISTS (SELECT FROM rollback_rehearsal)""",
    """INSERT INTO rollback_schemachange (plan, plan_hash, receipt, broken_glass, actor_name, finished_at,
                                          succeeded, report)
       SELECT '[["holidays", "0001_expand_holidays", true]]', repeat('a', 64), '', 'It could not wait.',
              'The office', now(), true, '{"rows": 12}'
        WHERE NOT EXISTS (SELECT FROM rollback_schemachange)""",
    # Of a kind that nobody looks for: the school's own search would end it as gone.
    """INSERT INTO enrollment_conflict (kind, key, status, found_at, seen_at, resolution, automatic, facts)
       SELECT 'sample', 'sample', 'open', now(), now(), '', false, '{}'
        WHERE NOT EXISTS (SELECT FROM enrollment_conflict WHERE kind = 'sample')""",
    """INSERT INTO enrollment_conflict_lessons (conflict_id, lesson_id)
       SELECT c.id, l.id FROM enrollment_conflict c, LATERAL (
              SELECT id FROM enrollment_lesson WHERE status = 'planned' ORDER BY period DESC, id LIMIT 2) l
        WHERE c.key = 'sample' ON CONFLICT DO NOTHING""",
    """INSERT INTO enrollment_makeupcredit (enrollment_id, lesson_id, minutes, granted_at, note)
       SELECT l.enrollment_id, l.id, 45, now(), 'The teacher was ill.' FROM enrollment_lesson l
        WHERE l.enrollment_id IS NOT NULL AND NOT EXISTS (SELECT FROM enrollment_makeupcredit)
        ORDER BY l.status = 'cancelled' DESC, l.id LIMIT 1""",
    """INSERT INTO scheduling_waitlistentry (status, created_at, offer_tries, course_id, student_id)
       SELECT 'waiting', now(), 0, c.id, s.id
         FROM enrollment_student s JOIN enrollment_user u ON u.id = s.user_id,
              LATERAL (SELECT id FROM enrollment_course ORDER BY id LIMIT 1) c
        WHERE u.email = 'student@school.example'
           ON CONFLICT DO NOTHING""",
    """INSERT INTO scheduling_calendarfeed (digest, name, language, created_at, user_id)
       SELECT repeat('a', 64), 'My phone', 'en', now(), id
         FROM enrollment_user WHERE email = 'student@school.example'
           ON CONFLICT DO NOTHING""",
    # One that can be read, and one that was set aside for the office.
    """INSERT INTO rollback_enrollmentdraft (answers, answers_version, heard, step, started_at, saved_at,
                                             course_id, student_id, quarantined_at, problem)
       SELECT kind.answers::jsonb, 1, '{}', 'details', now(), now(), c.id, s.id,
              CASE kind.problem WHEN '' THEN NULL ELSE now() END, kind.problem
         FROM enrollment_student s JOIN enrollment_user u ON u.id = s.user_id,
              LATERAL (SELECT c.id FROM enrollment_course c
                        WHERE c.opens_on IS NULL AND c.closes_on IS NULL AND NOT EXISTS (
                              SELECT FROM enrollment_enrollment e
                               WHERE e.course_id = c.id AND e.student_id = s.id)
                        ORDER BY c.id LIMIT 1) c,
              (VALUES ('{"note": "Since May."}', ''), ('{"note": [1]}', 'not_text')) kind (answers, problem)
        WHERE u.email = 'student@school.example' AND NOT EXISTS (
              SELECT FROM rollback_enrollmentdraft d
               WHERE d.student_id = s.id AND d.finished_at IS NULL AND d.problem = kind.problem)""",
    # Whoever asks: of the teacher whom `TAUGHT` finds.
    """INSERT INTO scheduling_availabilityexception
         (teacher_id, day_on, kind, starts, ends, ends_next_day, note)
       SELECT t.id, current_date + 30, 'add', '20:00', '22:00', false, 'Concert week.'
         FROM enrollment_teacher t
        WHERE NOT EXISTS (SELECT FROM scheduling_availabilityexception x WHERE x.teacher_id = t.id)""",
    """INSERT INTO scheduling_timeoff (teacher_id, period, reason)
       SELECT t.id, tstzrange(now() + interval '300 days', now() + interval '307 days'), 'At the sea.'
         FROM enrollment_teacher t
        WHERE NOT EXISTS (SELECT FROM scheduling_timeoff x WHERE x.teacher_id = t.id)""",
    """INSERT INTO scheduling_bookingpolicy (teacher_id, buffer_after)
       SELECT t.id, 10 FROM enrollment_teacher t
        WHERE NOT EXISTS (SELECT FROM scheduling_bookingpolicy) ORDER BY t.id LIMIT 1""",
)  # fmt: skip
# Of whom is asked, or of anybody.
TAUGHT = """
    SELECT e.id, e.teacher_id, l.id, r.id FROM enrollment_enrollment e
      JOIN enrollment_lesson l ON l.enrollment_id = e.id
      JOIN scheduling_availabilityrule r ON r.teacher_id = e.teacher_id
      JOIN enrollment_student s ON s.id = e.student_id JOIN enrollment_user su ON su.id = s.user_id
      JOIN enrollment_teacher t ON t.id = e.teacher_id JOIN enrollment_user tu ON tu.id = t.user_id
     WHERE e.status = 'confirmed' AND l.status = 'planned'
     ORDER BY %s IN (su.email, tu.email) DESC,
              EXISTS (SELECT FROM enrollment_message m WHERE m.enrollment_id = e.id) DESC,
              l.period DESC, l.id, r.id LIMIT 1
"""
HOURS: dict[str, LiteralString] = {
    "exception": "SELECT min(id) FROM scheduling_availabilityexception WHERE teacher_id = %s",
    "time_off": "SELECT min(id) FROM scheduling_timeoff WHERE teacher_id = %s",
}
DRAFTS = """
    SELECT d.id, c.slug, s.id FROM rollback_enrollmentdraft d
      JOIN enrollment_course c ON c.id = d.course_id
      JOIN enrollment_student s ON s.id = d.student_id JOIN enrollment_user u ON u.id = s.user_id
     WHERE u.email = 'student@school.example' AND d.finished_at IS NULL AND d.problem = %s
     ORDER BY d.id LIMIT 1
"""
FIRST: dict[str, LiteralString] = {
    "account.emailaddress": "SELECT min(id) FROM account_emailaddress",
    "auth.group": "SELECT id FROM auth_group ORDER BY name = 'staff' DESC LIMIT 1",
    "enrollment.apitoken": "SELECT min(digest) FROM enrollment_apitoken",
    "enrollment.conflict": "SELECT min(id) FROM enrollment_conflict WHERE kind = 'sample'",
    "enrollment.course": "SELECT min(course_id) FROM enrollment_courseunit",
    "enrollment.courseunit": "SELECT min(unit_id) FROM enrollment_unitdone",
    "enrollment.makeupcredit": "SELECT min(id) FROM enrollment_makeupcredit",
    "enrollment.messageaccess": "SELECT min(id) FROM enrollment_messageaccess",
    "enrollment.student": "SELECT min(id) FROM enrollment_student",
    "enrollment.unitdone": "SELECT min(id) FROM enrollment_unitdone",
    "enrollment.user": "SELECT min(user_id) FROM enrollment_student",
    "holidays.holiday": "SELECT min(id) FROM holidays_holiday",
    "holidays.region": "SELECT min(id) FROM holidays_region",
    "holidays.teacherregion": "SELECT min(id) FROM holidays_teacherregion",
    "holidays.holidayimport": "SELECT min(id) FROM holidays_holidayimport",
    "holidays.holidaysource": "SELECT min(id) FROM holidays_holidaysource WHERE kind = 'csv'",
    "entry": "SELECT min(id) FROM scheduling_waitlistentry",
    "scheduling.calendarfeed": "SELECT min(id) FROM scheduling_calendarfeed",
    "scheduling.waitlistentry": "SELECT min(id) FROM scheduling_waitlistentry",
    "rollback.channel": "SELECT min(id) FROM rollback_channel",
    "rollback.oncallpolicy": "SELECT min(id) FROM rollback_oncallpolicy",
    "rollback.oncallshift": "SELECT min(id) FROM rollback_oncallshift WHERE ends_at > now()",
    "rollback.page": "SELECT max(id) FROM rollback_page WHERE kind = 'test'",
    "rollback.complaint": "SELECT min(id) FROM rollback_complaint WHERE done_at IS NULL",
    "rollback.deafaddress": "SELECT min(id) FROM rollback_deafaddress",
    "rollback.notification": "SELECT min(id) FROM rollback_notification",
    "rollback.affectedperson": "SELECT min(id) FROM rollback_affectedperson",
    "rollback.backup": "SELECT min(id) FROM rollback_backup",
    "rollback.ledgerentry": "SELECT min(id) FROM rollback_ledgerentry",
    "rollback.orphan": "SELECT min(id) FROM rollback_orphan",
    "rollback.phaserun": "SELECT min(id) FROM rollback_phaserun",
    "rollback.rehearsal": "SELECT min(id) FROM rollback_rehearsal",
    "rollback.schemachange": "SELECT min(id) FROM rollback_schemachange",
    "run": "SELECT min(id) FROM rollback_phaserun",
    "rollback.incidentaction": "SELECT min(id) FROM rollback_incidentaction",
    "rollback.flag": "SELECT min(id) FROM rollback_flag",
    "rollback.flagchange": "SELECT min(id) FROM rollback_flagchange",
    "rollback.incident": "SELECT min(id) FROM rollback_incident WHERE resolved_at IS NULL",
    "rollback.maintenance": "SELECT min(id) FROM rollback_maintenance",
    "rollback.banner": "SELECT min(id) FROM rollback_banner",
    "rollback.judgment": "SELECT max(id) FROM rollback_judgment",
    "rollback.trigger": "SELECT min(id) FROM rollback_trigger",
    "rollback.stakeholder": "SELECT min(id) FROM rollback_stakeholder",
    "rollback.verification": "SELECT min(id) FROM rollback_verification",
    "incident": "SELECT min(id) FROM rollback_incident WHERE resolved_at IS NULL",
    "plan": "SELECT min(id) FROM rollback_plan",
    "sending": "SELECT min(id) FROM rollback_sending WHERE letter = 'enrollment'",
    "scheduling.bookingpolicy": "SELECT min(id) FROM scheduling_bookingpolicy",
    "root": "SELECT id FROM enrollment_user WHERE is_superuser ORDER BY id LIMIT 1",
}
FIXED = {
    "app_label": "enrollment",
    "code": "DE",
    "key": "1-key",
    "month": "12",
    "step": "pause",
    "uidb36": "1",
    "url": "nothing-here",
    "year": "2026",
}


def things_of(school: School, email: str) -> Mapping[str, str]:
    """The enrollment is theirs, and whatever belongs to it, if they have one."""
    for statement in MADE:
        school.change(statement)
    found = {name: str(school.rows(query)[0][0]) for name, query in FIRST.items()}
    enrollment, teacher, lesson, rule = map(str, school.rows(TAUGHT, email)[0])
    hours = {name: str(school.rows(query, int(teacher))[0][0]) for name, query in HOURS.items()}
    draft, slug, student = map(str, school.rows(DRAFTS, "")[0])
    return {
        **FIXED,
        **found,
        **hours,
        "course_id": found["enrollment.course"],
        "scheduling.availabilityexception": hours["exception"],
        "scheduling.timeoff": hours["time_off"],
        "enrollment": enrollment,
        "enrollment.enrollment": enrollment,
        "enrollment.thread": enrollment,
        "enrollment.lesson": lesson,
        "lesson": lesson,
        "enrollment.teacher": teacher,
        "teacher": teacher,
        "scheduling.availabilityrule": rule,
        "rule": rule,
        "source": found["holidays.holidaysource"],
        "rollback.enrollmentdraft": draft,
        "course": slug,
        "token": Signer(salt="rollback.reminders", sep=".").sign(student),
        "news_token": Signer(salt="rollback.news", sep=".").sign(found["enrollment.user"]),
        "call": Signer(salt="rollback.oncall.acknowledge", sep=".").sign(
            f"{found['rollback.page']}-{found['root']}"
        ),
    }


def unreadable_draft(school: School) -> str:
    return str(school.rows(DRAFTS, "not_text")[0][0])
