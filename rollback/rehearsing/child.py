"""The process in which all steps on the copy are done: python -m rollback.rehearsing.child

Asked line by line over its standard input, it answers in JSON. It knows no other database than the copy,
and looks twice before the first step, and at each new connection, that it is there.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any, TextIO


def main() -> None:
    answers = _own_output()
    # Before the others are started, which are as nice then.
    os.nice(int(os.environ.get("REHEARSAL_NICE", "0")))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import django

    django.setup()
    from rollback.rehearsing import doing
    from rollback.rehearsing.helper import StepFailed
    from rollback.rehearsing.surroundings import NotTheCopy

    def tell(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        work = doing.Work(say=lambda words: tell(say=words))
    except NotTheCopy as refused:
        tell(failed=str(refused), facts={})
        return
    tell(done={})
    for line in sys.stdin:
        computed = time.process_time()
        try:
            found = work.do(json.loads(line)["step"])
            # What is left of the seconds was waiting: for the database, or for a processor.
            tell(done=found | {"computed": round(time.process_time() - computed, 2)})
        except StepFailed as failed:
            tell(failed=str(failed), facts=failed.facts)
        except Exception as error:
            # A door: whatever breaks in a step is the rehearsal's finding, with where in the log.
            sys.stderr.write(_where(error))
            tell(failed=_what(error)[:2000], facts={})
    work.close()


def _what(error: BaseException) -> str:
    from rollback.domain.errors import without_rows

    return f"{type(error).__name__}: {without_rows(error)}"


def _where(error: BaseException | None) -> str:
    """As a traceback has it, without what the database said about rows."""
    import traceback

    said = []
    while error is not None:
        said.append("".join(traceback.format_tb(error.__traceback__)) + _what(error) + "\n")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(reversed(said))


def _own_output() -> TextIO:
    """What anything else prints goes to the log, so that answers stay answers."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _end_with(parent: int) -> None:
    """Whoever started us is gone, killed perhaps: then so are we, with our server and our browser."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
