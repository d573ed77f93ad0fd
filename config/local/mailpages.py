"""The mail reader's pages: what came in a mail is shown, escaped, and never run."""

import mailbox
import re
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import escape

NEWEST = 200
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
HEADERS = ("From", "To", "Cc", "Reply-To", "Date", "Subject")

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d2733, #e6ebf1);
  --paper: light-dark(#f4f6f8, #12171d); --card: light-dark(#fff, #1b222b);
  --line: light-dark(#d9e0e7, #303a46); --soft: light-dark(#5a6775, #9aa7b5);
  --link: light-dark(#0b5cad, #7db8f5); }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
main { max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.4rem; margin: .5rem 0 1rem; overflow-wrap: anywhere }
a { color: var(--link) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  overflow: hidden; margin-bottom: 1rem }
ul.card { list-style: none; padding: 0 }
li + li { border-top: 1px solid var(--line) }
li a { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .7rem 1rem;
  text-decoration: none; color: inherit }
li a:hover, li a:focus-visible { background: var(--paper) }
.to, time { color: var(--soft); font-size: .875rem }
.to { grid-column: 1 / -1 }
li span { overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem; margin: 0; padding: 1rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
pre { margin: 0; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
iframe { display: block; width: 100%; height: 32rem; border: 0; background: #fff }
.empty { padding: 2rem; text-align: center; color: var(--soft) }
"""


def read(box: mailbox.Maildir, key: str) -> EmailMessage | None:
    try:
        with box.get_file(key) as file:
            return _parsed(file.read())
    except KeyError:
        return None


def inbox(box: mailbox.Maildir) -> str:
    """Newest first: a Maildir's keys begin with the second they came in, and a counter follows."""
    letters = [(key, message) for key in _newest(box) if (message := read(box, key))]
    rows = "".join(_row(key, message) for key, message in letters)
    empty = '<p class="card empty">No mail yet. What the school sends appears here.</p>'
    return _page("Mails", f'<ul class="card">{rows}</ul>' if rows else empty)


def letter(key: str, message: EmailMessage) -> str:
    fields = "".join(
        f"<dt>{name}</dt><dd>{escape(value)}</dd>"
        for name in HEADERS
        if (value := _header(message, name))
    )
    parts = [f'<p><a href="/">All mails</a></p><div class="card"><dl>{fields}</dl></div>']
    if text := _part(message, "plain"):
        parts.append(f'<div class="card"><pre>{_linked(text)}</pre></div>')
    if _part(message, "html"):
        source = f"/mail/{escape(key)}/html"
        sandbox = "allow-popups allow-popups-to-escape-sandbox"
        frame = f'<iframe sandbox="{sandbox}" src="{source}" title="The mail as HTML"></iframe>'
        parts.append(f'<div class="card">{frame}</div>')
    return _page(_header(message, "Subject") or "(no subject)", "".join(parts))


def html_part(message: EmailMessage) -> str:
    """As it came; the policy it is served with lets nothing of it run or load."""
    return '<!doctype html><base target="_blank">' + _part(message, "html")


def missing() -> str:
    return _page("Not here", '<p>No such mail. <a href="/">All mails</a></p>')


def _newest(box: mailbox.Maildir) -> list[str]:
    return sorted(box.keys(), key=_arrival, reverse=True)[:NEWEST]


def _arrival(key: str) -> tuple[int, ...]:
    """Of 1764000000.M12345P77Q3.host the second, the microsecond and the counter."""
    return tuple(int(number) for number in re.findall(r"\d+", key.split(".host")[0])[:4])


def _parsed(data: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(data)


def _header(message: EmailMessage, name: str) -> str:
    """A header nobody can parse is shown as nothing rather than breaking the page."""
    try:
        return str(message.get(name, ""))
    except (ValueError, IndexError, AttributeError):
        return ""


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        return str(part.get_payload())


def _linked(text: str) -> str:
    """Escapes piece by piece, so that what stands around a link stays text."""
    pieces, end = [], 0
    for match in LINK.finditer(text):
        link = escape(match[0])
        pieces += [escape(text[end : match.start()]), f'<a href="{link}">{link}</a>']
        end = match.end()
    return "".join([*pieces, escape(text[end:])])


def _row(key: str, message: EmailMessage) -> str:
    subject = escape(_header(message, "Subject") or "(no subject)")
    return (
        f'<li><a href="/mail/{escape(key)}"><span>{subject}</span><time>{_when(message)}</time>'
        f'<span class="to">to {escape(_header(message, "To"))}</span></a></li>'
    )


def _when(message: EmailMessage) -> str:
    try:
        moment: datetime = parsedate_to_datetime(_header(message, "Date"))
    except (TypeError, ValueError):
        return ""
    return f"{moment.astimezone():%d %b %H:%M}"


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/style.css">'
        f"<main><h1>{escape(title)}</h1>{body}</main></html>"
    )
