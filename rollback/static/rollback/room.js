// Brings the console up to date: asks every few seconds, by the ETag of what it has, and replaces the
// parts that differ and nothing else. What is typed stands outside of them; where the focus was, it is
// again. While nobody looks, nobody asks. What is old says so.
const EVERY = 5000;
const PATIENCE = 4000;
const room = document.getElementById("room");
const updated = document.getElementById("room-updated");
const said = document.getElementById("room-said");
// As the server sent them: open details, for one, are a change that is ours.
const parts = new Map([...room.querySelectorAll("[data-part]")].map((part) => [part.id, part.outerHTML]));
let etag = room.dataset.etag;
let at = updated.querySelector("time").textContent;
let timer;

const ask = async () => {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(room.dataset.url, {
      headers: { "HX-Request": "true", "If-None-Match": etag },
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.headers.has("HX-Redirect") || answer.status === 403) return late(room.dataset.out);
    if (answer.status === 200) show(await answer.text());
    else if (answer.status !== 304) throw new Error(answer.statusText);
    etag = answer.headers.get("ETag") ?? etag;
    at = answer.headers.get("Room-Time") ?? at;
    tell(`${room.dataset.late} ${at}`, false);
  } catch {
    late(room.dataset.silent);
  } finally {
    clearTimeout(timer);
    timer = setTimeout(ask, EVERY);
  }
};

const late = (why) => tell(`${room.dataset.late} ${at}: ${why}`, true);
const tell = (words, isLate) => {
  // Heard once, when it begins or ends; not every five seconds.
  if (isLate !== updated.classList.contains("late")) said.textContent = words;
  updated.textContent = words;
  updated.classList.toggle("late", isLate);
};

const show = (html) => {
  const before = room.querySelector("[data-said]").textContent.trim();
  const found = new DOMParser().parseFromString(html, "text/html");
  found.querySelectorAll("[data-part]").forEach(replace);
  const now = room.querySelector("[data-said]").textContent.trim();
  if (now !== before) said.textContent = now;
};

const replace = (part) => {
  const html = part.outerHTML;
  const old = document.getElementById(part.id);
  if (!old || html === parts.get(part.id)) return;
  parts.set(part.id, html);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const opened = [...old.querySelectorAll("details")].map((one) => one.open);
  part.querySelectorAll("details").forEach((one, place) => (one.open = opened[place] ?? one.open));
  old.replaceWith(part);
  if (focused) refocus(part, focused);
};

// To what has the same name; what is gone leaves the focus at its part, and not at the page's beginning.
const refocus = (part, focused) => {
  const same = focused.id ? document.getElementById(focused.id) : sameAs(part, focused);
  (same ?? part).focus({ preventScroll: true });
};
const sameAs = (part, focused) =>
  [...part.querySelectorAll(focused.tagName)].find((one) => one.textContent === focused.textContent);

document.addEventListener("visibilitychange", () => document.hidden || ask());
timer = setTimeout(ask, EVERY);
