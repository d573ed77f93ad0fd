"""Processes that send what is due, over and over, as beat's tasks would; made quickly, to be killed.

python -m tests.rollback.senders SECONDS: for each line on its input one more, whose process id is the answer.
SECONDS: how long a mail server is waited for.
"""

import os
import signal
import sys
import time

import django


def send_for_ever() -> None:
    from rollback import outbox

    while True:
        outbox.send_due()
        time.sleep(0.02)


def main() -> None:
    django.setup()
    from django.conf import settings

    settings.EMAIL_TIMEOUT = float(sys.argv[1])
    from rollback import outbox  # noqa: F401  once, and not in each of them

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _line in sys.stdin:
        pid = os.fork()
        if not pid:
            send_for_ever()
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
