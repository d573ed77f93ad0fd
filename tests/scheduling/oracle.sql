-- The slots that can be booked, said once more and otherwise: by PostgreSQL's own ranges and
-- multiranges, in one statement. `at_local` is how a wall clock becomes an instant.
WITH policy AS (
  SELECT *, (teacher_id IS NOT NULL)::int * 2 + (course_id IS NOT NULL)::int AS nearness
    FROM scheduling_bookingpolicy
   WHERE coalesce(teacher_id, %(teacher)s::bigint) = %(teacher)s::bigint
     AND coalesce(course_id, %(course)s::bigint) = %(course)s::bigint
), said AS (
  SELECT make_interval(mins => length) AS length,
         make_interval(mins => coalesce(step, length)) AS step,
         make_interval(mins => buffer_before) AS buffer_before,
         make_interval(mins => buffer_after) AS buffer_after,
         make_interval(mins => notice) AS notice, horizon, most_a_day, most_a_week
    FROM (SELECT
      coalesce((SELECT lesson_minutes FROM policy WHERE lesson_minutes IS NOT NULL
                 ORDER BY nearness DESC LIMIT 1), %(minutes)s::int) AS length,
      (SELECT step_minutes::int FROM policy WHERE step_minutes IS NOT NULL
        ORDER BY nearness DESC LIMIT 1) AS step,
      coalesce((SELECT p.buffer_before FROM policy p WHERE p.buffer_before IS NOT NULL
                 ORDER BY nearness DESC LIMIT 1), 0) AS buffer_before,
      coalesce((SELECT p.buffer_after FROM policy p WHERE p.buffer_after IS NOT NULL
                 ORDER BY nearness DESC LIMIT 1), 0) AS buffer_after,
      coalesce((SELECT notice_minutes FROM policy WHERE notice_minutes IS NOT NULL
                 ORDER BY nearness DESC LIMIT 1), 0) AS notice,
      coalesce((SELECT horizon_days FROM policy WHERE horizon_days IS NOT NULL
                 ORDER BY nearness DESC LIMIT 1), 28) AS horizon,
      (SELECT p.most_a_day FROM policy p WHERE p.most_a_day IS NOT NULL
        ORDER BY nearness DESC LIMIT 1) AS most_a_day,
      (SELECT p.most_a_week FROM policy p WHERE p.most_a_week IS NOT NULL
        ORDER BY nearness DESC LIMIT 1) AS most_a_week) lines
), asked AS (
  -- Half-open: the starts that can be booked at all.
  SELECT greatest(%(since)s::timestamptz, %(now)s::timestamptz + notice) AS first,
         least(%(until)s::timestamptz,
               at_local((%(now)s::timestamptz AT TIME ZONE %(viewer)s::text)::date + horizon + 1,
                        '00:00', %(viewer)s)) AS last
    FROM said
), day AS (
  SELECT generate_series((first AT TIME ZONE %(zone)s::text)::date - 9,
                         (last AT TIME ZONE %(zone)s::text)::date + 9, interval '1 day')::date AS on_day
    FROM asked
), lives AS (
  -- Where the teacher does, or else where the school is.
  SELECT country, subdivision FROM holidays_region
   WHERE CASE WHEN EXISTS (SELECT FROM holidays_teacherregion WHERE teacher_id = %(teacher)s::bigint)
              THEN id IN (SELECT region_id FROM holidays_teacherregion
                           WHERE teacher_id = %(teacher)s::bigint)
              ELSE is_school END
), closure AS (
  SELECT h.*
    FROM holidays_holiday h LEFT JOIN holidays_region r ON r.id = h.region_id
   WHERE h.scope = 'school'
      OR h.scope = 'region' AND EXISTS (
           SELECT FROM lives WHERE lives.country = r.country
                               AND (r.subdivision = '' OR r.subdivision = lives.subdivision))
      OR h.scope = 'teachers' AND EXISTS (
           SELECT FROM holidays_holiday_teachers
            WHERE holiday_id = h.id AND teacher_id = %(teacher)s::bigint)
      OR h.scope = 'courses' AND EXISTS (
           SELECT FROM holidays_holiday_courses
            WHERE holiday_id = h.id AND course_id = %(course)s::bigint)
), worked AS (
  -- The weekday whose hours count; of several swaps the last one's.
  SELECT on_day,
         coalesce((SELECT as_weekday::int FROM closure
                    WHERE kind = 'working_day' AND on_day BETWEEN first_on AND last_on
                    ORDER BY first_on DESC, last_on DESC, name DESC, id DESC LIMIT 1),
                  extract(isodow FROM on_day)::int - 1) AS as_weekday
    FROM day
), hours AS (
  SELECT on_day, starts, ends, ends_next_day
    FROM worked JOIN scheduling_availabilityrule rule
      ON teacher_id = %(teacher)s::bigint
     AND weekday = as_weekday
     AND on_day <@ daterange(valid_from, valid_until, '[]')
     AND (every_weeks = 1
          OR (date_trunc('week', on_day)::date - date_trunc('week', valid_from)::date) / 7
             %% every_weeks = 0)
   WHERE NOT EXISTS (SELECT 1 FROM scheduling_availabilityexception
                      WHERE teacher_id = %(teacher)s::bigint AND day_on = on_day
                        AND kind = 'replace')
   UNION ALL
  SELECT day_on, starts, ends, ends_next_day
    FROM scheduling_availabilityexception JOIN day ON day_on = on_day
   WHERE teacher_id = %(teacher)s::bigint AND starts IS NOT NULL
), opened AS (
  SELECT on_day, at_local(on_day, starts, %(zone)s) AS begins,
         at_local(on_day + (ends_next_day OR ends = '00:00')::int, ends, %(zone)s) AS over
    FROM hours
), island AS (
  -- Windows of one date that overlap are one; those that touch are two.
  SELECT on_day, min(begins) AS begins, max(over) AS over
    FROM (SELECT *, count(*) FILTER (WHERE is_new)
                      OVER (PARTITION BY on_day ORDER BY begins, over) AS number
            FROM (SELECT *, begins >= coalesce(max(over) OVER before, '-infinity') AS is_new
                    FROM opened WHERE begins < over
                  WINDOW before AS (PARTITION BY on_day ORDER BY begins, over
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) marked) numbered
   GROUP BY on_day, number
), apart AS (
  -- A date's window begins where those of the dates before end.
  SELECT greatest(begins, max(over) OVER (ORDER BY begins, over
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS begins, over
    FROM island
), lesson AS (
  SELECT *
    FROM enrollment_lesson
   WHERE status <> 'cancelled' AND NOT (status = 'held' AND expires_at <= %(now)s)
     AND id IS DISTINCT FROM %(apart_from)s::bigint
     AND NOT (status = 'held' AND enrollment_id IS NULL
              AND student_id = %(student)s::bigint AND course_id = %(course)s::bigint)
     AND period && (SELECT tstzrange(first - interval '9 days', last + interval '9 days')
                      FROM asked WHERE first < last)
     AND (teacher_id = %(teacher)s::bigint OR student_id = %(student)s::bigint)
), joinable AS (
  SELECT period, range_merge(range_agg(busy)) AS busy
    FROM lesson
   WHERE teacher_id = %(teacher)s::bigint AND course_id = %(course)s::bigint AND seats > 1
   GROUP BY period
  HAVING count(*) < max(seats) AND NOT bool_or(student_id = %(student)s::bigint)
), away AS (
  SELECT coalesce(range_agg(period), '{}') AS periods
    FROM (SELECT tstzrange(begins, over) AS period
            FROM day JOIN closure ON kind <> 'working_day' AND on_day BETWEEN first_on AND last_on,
                 LATERAL (SELECT at_local(on_day, coalesce(starts, '00:00'), %(zone)s) AS begins,
                                 at_local(on_day + (ends IS NULL)::int, coalesce(ends, '00:00'), %(zone)s)
                                   AS over) at
           -- From 02:00 to 03:00 on a night that leaves that hour out.
           WHERE begins < over
           UNION ALL
          SELECT period FROM scheduling_timeoff WHERE teacher_id = %(teacher)s::bigint
           UNION ALL
          SELECT period FROM lesson WHERE student_id = %(student)s::bigint) of_all
), busy AS (
  SELECT coalesce(range_agg(tstzrange(lower(lesson.busy) - said.buffer_after, upper(lesson.busy) + said.buffer_before)),
                  '{}') AS periods
    FROM lesson, said
   WHERE teacher_id = %(teacher)s::bigint
), piece AS (
  SELECT begins, unnest(tstzmultirange(tstzrange(begins, over)) - away.periods - busy.periods) AS free
    FROM apart, away, busy
   WHERE begins < over
), slot AS (
  SELECT tstzrange(start, start + length) AS period
    FROM piece, said, asked,
         generate_series(
           begins + step * greatest(0, ceil(extract(epoch FROM greatest(lower(free), first) - begins)
                                            / extract(epoch FROM step))),
           upper(free) - length, step) AS start
   WHERE first <= start AND start < last
), counted AS (
  SELECT (lower(period) AT TIME ZONE %(zone)s::text)::date AS on_day
    FROM (SELECT DISTINCT period FROM lesson WHERE teacher_id = %(teacher)s::bigint) once
), offered AS (
  SELECT period
    FROM slot, said, LATERAL (SELECT (lower(period) AT TIME ZONE %(zone)s::text)::date AS on_day) local
   WHERE (most_a_day IS NULL
          OR most_a_day > (SELECT count(*) FROM counted WHERE counted.on_day = local.on_day))
     AND (most_a_week IS NULL
          OR most_a_week > (SELECT count(*) FROM counted
                             WHERE date_trunc('week', counted.on_day) = date_trunc('week', local.on_day)))
   UNION ALL
  SELECT period
    FROM joinable, asked, away
   WHERE first <= lower(period) AND lower(period) < last AND NOT period && away.periods
)
SELECT extract(epoch FROM lower(period))::bigint, extract(epoch FROM upper(period))::bigint
  FROM offered
 ORDER BY 1
