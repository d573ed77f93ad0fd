"""A version of a letter's words is never changed and never deleted. Undoing loses nothing but that guard."""

from django.db import migrations

# Who saved it is taken out when that person is erased; the words stay.
GUARD = """
CREATE FUNCTION rollback_letters_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.key, NEW.language, NEW.version, NEW.subject, NEW.text, NEW.html,
                             NEW.is_the_houses, NEW.saved_at)
       IS NOT DISTINCT FROM (OLD.id, OLD.key, OLD.language, OLD.version, OLD.subject, OLD.text, OLD.html,
                             OLD.is_the_houses, OLD.saved_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Version % of the letter % stays as it is: save another one.', OLD.version, OLD.key
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'letters_stay';
END
$$;
CREATE TRIGGER letters_stay BEFORE UPDATE OR DELETE ON rollback_messagetemplate
    FOR EACH ROW EXECUTE FUNCTION rollback_letters_stay();
"""
UNGUARD = "DROP FUNCTION rollback_letters_stay CASCADE"


class Migration(migrations.Migration):
    dependencies = [("rollback", "0027_expand_words")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
