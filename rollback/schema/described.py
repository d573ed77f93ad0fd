"""Everything that is defined in a database, as PostgreSQL writes it, each under a name of its own.

Left out is what belongs to an extension (its name stands for it), what `pg_dump` does not carry (invalid
indexes, settings of the database), and who owns what: a copy belongs to whoever made it.
"""

# ruff: noqa: S608 - the queries are made of the constants in here

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg

from rollback.schema import rewording

_OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
# catalog: of the object whose oid is `o`.
_FREE = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
    " AND e.objid = o.oid AND e.deptype = 'e')"
)
_OUR_CLASS = f"{_OURS} AND {_FREE.format(catalog='pg_class')}"
_OUR_PROC = f"{_OURS} AND {_FREE.format(catalog='pg_proc')}"
_OUR_TYPE = f"{_OURS} AND {_FREE.format(catalog='pg_type')}"

QUERIES: Mapping[str, str] = {
    "schema": f"SELECT quote_ident(n.nspname), '' FROM pg_namespace n WHERE {_OURS}",
    "extension": """
        SELECT quote_ident(extname), n.nspname
          FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace""",
    "relation": f"""
        SELECT format('%I.%I', n.nspname, o.relname),
               concat_ws(' ',
                   CASE o.relpersistence WHEN 'u' THEN 'unlogged' END,
                   CASE o.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                        WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                        WHEN 'f' THEN 'foreign table' ELSE 'type' END,
                   pg_get_partkeydef(o.oid), pg_get_expr(o.relpartbound, o.oid),
                   array_to_string(o.reloptions, ','),
                   CASE WHEN o.relrowsecurity THEN 'row security' END,
                   CASE WHEN o.relforcerowsecurity THEN 'forced' END,
                   CASE WHEN o.relkind IN ('v', 'm') THEN pg_get_viewdef(o.oid) END)
          FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OUR_CLASS}""",
    "column": f"""
        SELECT format('%I.%I.%I', n.nspname, o.relname, a.attname),
               concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                   CASE WHEN a.attnotnull THEN 'not null' END,
                   CASE a.attidentity WHEN 'a' THEN 'identity always'
                        WHEN 'd' THEN 'identity by default' END,
                   CASE WHEN a.attgenerated <> '' THEN 'generated' END,
                   'default ' || pg_get_expr(d.adbin, d.adrelid),
                   CASE WHEN a.attcollation <> t.typcollation
                        THEN 'collate ' || a.attcollation::regcollation END)
          FROM pg_attribute a
          JOIN pg_class o ON o.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
          JOIN pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
         WHERE a.attnum > 0 AND NOT a.attisdropped
           AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OUR_CLASS}""",
    # PostgreSQL 18 keeps NOT NULL as a constraint too; that stands with the column.
    "constraint": f"""
        SELECT format('%I.%I %I', n.nspname, o.relname, k.conname), pg_get_constraintdef(k.oid)
          FROM pg_constraint k
          JOIN pg_class o ON o.oid = k.conrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND {_OUR_CLASS}""",
    "index": f"""
        SELECT format('%I.%I', n.nspname, o.relname), pg_get_indexdef(o.oid)
          FROM pg_index i
          JOIN pg_class o ON o.oid = i.indexrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE i.indisvalid AND {_OUR_CLASS}""",
    "trigger": f"""
        SELECT format('%I.%I %I', n.nspname, o.relname, g.tgname),
               g.tgenabled::text || ' ' || pg_get_triggerdef(g.oid)
          FROM pg_trigger g
          JOIN pg_class o ON o.oid = g.tgrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE NOT g.tgisinternal AND {_OUR_CLASS}""",
    "rule": f"""
        SELECT format('%I.%I %I', n.nspname, o.relname, w.rulename), pg_get_ruledef(w.oid)
          FROM pg_rewrite w
          JOIN pg_class o ON o.oid = w.ev_class
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE w.rulename <> '_RETURN' AND {_OUR_CLASS}""",
    "policy": f"""
        SELECT format('%I.%I %I', n.nspname, o.relname, p.polname),
               concat_ws(' ', p.polcmd::text, p.polpermissive::text,
                   pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
          FROM pg_policy p
          JOIN pg_class o ON o.oid = p.polrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE {_OUR_CLASS}""",
    "function": f"""
        SELECT format('%I.%I(%s)', n.nspname, o.proname, pg_get_function_identity_arguments(o.oid)),
               CASE o.prokind WHEN 'a' THEN pg_get_function_result(o.oid)
                    ELSE pg_get_functiondef(o.oid) END
          FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace
         WHERE {_OUR_PROC}""",
    "sequence": f"""
        SELECT format('%I.%I', n.nspname, o.relname),
               concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
                   s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END,
                   (SELECT 'of ' || d.refobjid::regclass || '.' || a.attname
                      FROM pg_depend d
                      JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.refobjid, d.refobjsubid)
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = o.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
          FROM pg_sequence s
          JOIN pg_class o ON o.oid = s.seqrelid
          JOIN pg_namespace n ON n.oid = o.relnamespace
         WHERE {_OUR_CLASS}""",
    "enum": f"""
        SELECT format('%I.%I', n.nspname, o.typname),
               (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                  FROM pg_enum WHERE enumtypid = o.oid)
          FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace
         WHERE o.typtype = 'e' AND {_OUR_TYPE}""",
    "domain": f"""
        SELECT format('%I.%I', n.nspname, o.typname),
               concat_ws(' ', format_type(o.typbasetype, o.typtypmod),
                   CASE WHEN o.typnotnull THEN 'not null' END, 'default ' || o.typdefault,
                   (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ' ' ORDER BY conname)
                      FROM pg_constraint WHERE contypid = o.oid AND contype = 'c'))
          FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace
         WHERE o.typtype = 'd' AND {_OUR_TYPE}""",
    # Of others than the owner, and than whoever looks: to him a copy belongs.
    "grant": f"""
        WITH granted AS (
            SELECT format('%I.%I', n.nspname, o.relname) AS name, o.relowner AS owner,
                   coalesce(o.relacl, acldefault(CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                                 o.relowner)) AS acl
              FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
             WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_OUR_CLASS}
             UNION ALL
            SELECT format('%I.%I.%I', n.nspname, o.relname, a.attname), o.relowner, a.attacl
              FROM pg_attribute a
              JOIN pg_class o ON o.oid = a.attrelid
              JOIN pg_namespace n ON n.oid = o.relnamespace
             WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND {_OUR_CLASS}
             UNION ALL
            SELECT format('%I.%I(%s)', n.nspname, o.proname,
                          pg_get_function_identity_arguments(o.oid)),
                   o.proowner, coalesce(o.proacl, acldefault('f', o.proowner))
              FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace WHERE {_OUR_PROC}
             UNION ALL
            SELECT quote_ident(n.nspname), n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
              FROM pg_namespace n WHERE n.nspname <> 'public' AND {_OURS})
        SELECT name || ' to ' || CASE one.grantee WHEN 0 THEN 'everybody'
                                      ELSE pg_get_userbyid(one.grantee) END,
               string_agg(one.privilege_type || CASE WHEN one.is_grantable THEN ' on' ELSE '' END,
                          ', ' ORDER BY one.privilege_type)
          FROM granted, aclexplode(acl) AS one
         WHERE one.grantee NOT IN (owner, (SELECT oid FROM pg_roles WHERE rolname = current_user))
         GROUP BY 1""",
}  # fmt: skip

# In steps from where it starts, so that one that counts downwards is compared like the others.
SEQUENCES: LiteralString = f"""
    SELECT format('%I.%I', n.nspname, o.relname),
           coalesce((pg_sequence_last_value(o.oid) - s.seqstart) / s.seqincrement + 1, 0)
      FROM pg_sequence s
      JOIN pg_class o ON o.oid = s.seqrelid
      JOIN pg_namespace n ON n.oid = o.relnamespace
     WHERE {_OUR_CLASS}
"""


def catalog(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Kind and name → definition."""
    return {
        f"{kind} {name}": text or ""
        for kind, query in QUERIES.items()
        for name, text in connection.execute(query.encode()).fetchall()
    }


def sequences(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How far each has counted. They belong to no snapshot: whoever looks later may see more."""
    return {name: int(steps) for name, steps in connection.execute(SEQUENCES).fetchall()}


def is_same(name: str, one: str, other: str) -> bool:
    """name: with its kind, as in `catalog`. A function's text is kept as it was written."""
    if name.startswith("function "):
        return one == other
    return rewording.is_same(one, other)
