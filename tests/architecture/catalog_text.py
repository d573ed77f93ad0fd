"""The catalog of the schema public, object by object, as PostgreSQL writes it."""

from typing import Any

# Without what a table has only lately been called inside: oids, and the order of its columns.
QUERIES = {
    "table": """
        SELECT c.relname, concat_ws(' ', c.relkind, c.relpersistence, c.relreplident, c.relrowsecurity,
                                    c.relforcerowsecurity, c.reloptions::text, c.relacl::text,
                                    obj_description(c.oid, 'pg_class'))
          FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    """,
    "column": """
        SELECT c.relname || '.' || a.attname,
               concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                         a.attgenerated, a.attcollation::regcollation, a.attstorage, a.attacl::text,
                         pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraint": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) || ' ' || convalidated::text
          FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
    """,
    "index": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) || ' ' || indisvalid::text
          FROM pg_index JOIN pg_class c ON c.oid = indexrelid
         WHERE c.relnamespace = 'public'::regnamespace
    """,
    "trigger": """
        SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(t.oid) || ' ' || tgenabled::text
          FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
         WHERE c.relnamespace = 'public'::regnamespace AND NOT tgisinternal
    """,
    "function": """
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) || ' ' || coalesce(p.proacl::text, '')
          FROM pg_proc p
         WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    """,
    "sequence": """
        SELECT s.seqrelid::regclass::text,
               concat_ws(' ', s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
                         d.refobjid::regclass, a.attname)
          FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
          LEFT JOIN pg_depend d ON d.objid = s.seqrelid AND d.classid = 'pg_class'::regclass
               AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
          LEFT JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.refobjid, d.refobjsubid)
         WHERE c.relnamespace = 'public'::regnamespace
    """,
    "extension": "SELECT extname, extversion FROM pg_extension",
    "statistics": """
        SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
         WHERE stxnamespace = 'public'::regnamespace
    """,
}


def catalog_text(cursor: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, query in QUERIES.items():
        cursor.execute(query)
        found |= {f"{kind} {name}": text for name, text in cursor.fetchall()}
    return found
