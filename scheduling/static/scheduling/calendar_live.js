// Keeps what a calendar page shows up to date, without a reload and without taking anything from whoever
// is in the middle of it: the focus, a chosen time and a half-filled form stay.
//
// [data-calendar-live] holds the socket's address (empty: ask only), [data-since] the page's version,
// [data-teachers] the numbers of the teachers it shows, [data-zone] the reader's time zone, a
// <template data-old> with a <time> for "last updated", a <template data-gone> for a chosen time that
// is gone, and a live region [data-said].
// Each [data-fresh] has an id and is asked for at that address; in what comes back the element with the
// same id takes its place; [data-with] names a field whose chosen value is asked along. An ETag saves the rest, so nothing in it may differ each time (no CSRF
// token). The header Calendar-Version says how new the answer is.
import { Contact } from "../rollback/contact.js";

const AT_ONCE = 200;
// What concerns everybody must not bring everybody at the same moment.
const SPREAD = 2000;
const LONGEST = 60000;
const PATIENCE = 10000;
const FIELDS = "input:not([type=hidden]), select, textarea";

class CalendarLive {
  #place;
  #since;
  #known = new Map(); // address: its ETag
  #running = null;
  #again = false;
  #isOff = false;
  #isMissed = false;
  #timer;
  #wait = SPREAD;

  constructor(place) {
    this.#place = place;
    this.#since = place.dataset.since;
    this.contact = new Contact({
      url: place.dataset.calendarLive,
      hello: () => this.#hello(),
      hear: (message) => this.#hear(message),
      ask: () => this.refresh(),
      stale: (at) => this.#showOld(at),
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#isMissed) this.#soon(0);
    });
    document.addEventListener("feature:told", ({ detail }) => this.#told(detail.on));
  }

  #hello() {
    const teachers = (this.#place.dataset.teachers ?? "").split(/\s+/).filter(Boolean).map(Number);
    return this.#since ? { since: this.#since, teachers } : { teachers };
  }

  #hear({ changes = [], resync, deaf }) {
    if (deaf) return false;
    if (resync || changes.length) {
      const concernsAll = resync || changes.some((what) => what !== "lesson");
      this.#soon(Math.random() * (concernsAll ? SPREAD : AT_ONCE));
    }
    return true;
  }

  #soon(time) {
    this.#isMissed = document.hidden;
    if (document.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const had = await this.refresh().catch(() => false);
      // What was announced and could not be had is tried again, whatever the socket says.
      this.#wait = had ? SPREAD : Math.min(this.#wait * 2, LONGEST);
      if (!had && !this.#isOff) this.#soon(this.#wait * (1 + Math.random()));
    }, time);
  }

  #told(on) {
    const wasOff = this.#isOff;
    this.#isOff = !on.includes("calendar");
    if (wasOff && !this.#isOff) this.#soon(0);
  }

  // One at a time; what is announced meanwhile is asked for afterwards.
  refresh() {
    if (this.#isOff) return Promise.resolve(true);
    this.#again = Boolean(this.#running);
    this.#running ??= this.#refresh().finally(() => {
      this.#running = null;
      if (this.#again) this.#soon(0);
      this.#again = false;
    });
    return this.#running;
  }

  async #refresh() {
    const addresses = new Set([...fragments()].map((one) => one.dataset.fresh));
    const versions = await Promise.all([...addresses].map((address) => this.#one(address)));
    if (versions.includes(false)) return false;
    const known = versions.filter(Boolean).map(BigInt);
    if (known.length) this.#since = String(known.reduce((one, other) => (other < one ? other : one)));
    return true;
  }

  // The version of what is shown from there now; null: unknown; false: no answer.
  async #one(address) {
    const headers = { "HX-Request": "true", "X-Refresh": "true" };
    const parts = [...fragments()].filter((one) => one.dataset.fresh === address);
    const full = withChosen(address, parts);
    const etag = this.#known.get(full) ?? parts[0].dataset.etag;
    if (etag) headers["If-None-Match"] = etag;
    // The same address is a page of its own, which the browser keeps apart.
    const how = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) };
    const answer = await fetch(full, { headers, ...how });
    if (answer.type === "opaqueredirect" || answer.headers.has("HX-Redirect")) {
      document.dispatchEvent(new CustomEvent("feature:asked"));
      return false;
    }
    if (answer.status === 304) return answer.headers.get("Calendar-Version");
    if (!answer.ok) return false;
    const text = await answer.text();
    this.#known.set(full, answer.headers.get("ETag"));
    this.#put(address, text);
    return answer.headers.get("Calendar-Version");
  }

  #put(address, text) {
    const arrived = new DOMParser().parseFromString(text, "text/html");
    for (const old of fragments()) {
      const found = arrived.getElementById(old.id);
      // Somebody went to another month meanwhile: then that is what is shown.
      if (old.dataset.fresh === address && found) this.#replace(old, document.adoptNode(found));
    }
  }

  #replace(old, fresh) {
    const kept = [...old.querySelectorAll(FIELDS)].filter(isChanged).map(remember);
    const focus = old.contains(document.activeElement) ? pathTo(document.activeElement, old) : null;
    old.replaceWith(fresh);
    window.htmx?.process(fresh);
    fresh.dispatchEvent(new CustomEvent("htmx:afterSwap", { bubbles: true, detail: { target: fresh, elt: fresh } }));
    const lost = kept.filter((field) => !restore(field, fresh));
    if (focus) focusAgain(focus, fresh);
    if (lost.some(({ checked }) => checked)) this.#say("data-gone");
  }

  #say(name) {
    const words = this.#place.querySelector(`template[${name}]`);
    const region = this.#place.querySelector("[data-said]");
    if (words && region) region.replaceChildren(words.content.cloneNode(true));
  }

  #showOld(at) {
    this.#place.querySelector("[data-is-old]")?.remove();
    const template = at && this.#place.querySelector("template[data-old]");
    if (!template) return;
    const shown = document.createElement("div");
    shown.dataset.isOld = "";
    shown.append(template.content.cloneNode(true));
    const time = shown.querySelector("time");
    time.dateTime = at.toISOString();
    time.textContent = this.#inWords(at);
    this.#place.append(shown);
  }

  #inWords(at) {
    const isToday = at.toDateString() === new Date().toDateString();
    const date = isToday ? {} : { day: "numeric", month: "long" };
    const clock = { ...date, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    clock.timeZone = this.#place.dataset.zone || undefined;
    return new Intl.DateTimeFormat(document.documentElement.lang, clock).format(at);
  }
}

// What is chosen belongs to the question.
function withChosen(address, parts) {
  const url = new URL(address, location.href);
  for (const name of parts.map((one) => one.dataset.with).filter(Boolean)) {
    const chosen = document.querySelector(`[name="${CSS.escape(name)}"]:checked`);
    if (chosen) url.searchParams.set(name, chosen.value);
  }
  return url.href;
}

const fragments = () => document.querySelectorAll("[data-fresh]");

// Against what the server sent, which stays in the attributes.
function isChanged(field) {
  if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked || field.checked;
  if (field.tagName === "SELECT") return [...field.options].some((one) => one.selected !== one.defaultSelected);
  return field.value !== field.defaultValue;
}

function remember({ name, type, value, checked }) {
  const isChoice = type === "radio" || type === "checkbox";
  return { name, type, value, isChoice, checked: isChoice && checked };
}

function restore({ name, type, value, isChoice, checked }, within) {
  const same = [...within.querySelectorAll(FIELDS)].filter((one) => one.name === name && one.type === type);
  const field = isChoice ? same.find((one) => one.value === value && !one.disabled) : same[0];
  if (!field) return false;
  if (isChoice) field.checked = checked;
  else field.value = value;
  return true;
}

// How to find the same thing again among new elements: by what it is, not by where it stood.
function pathTo(element, within) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  for (const name of ["data-day", "href", "name"]) {
    const value = element.getAttribute(name);
    if (value === null) continue;
    const also = element.name && element.type === "radio" ? `[value="${CSS.escape(element.value)}"]` : "";
    return `[${name}="${CSS.escape(value)}"]${also}`;
  }
  const day = element.closest("[data-day]");
  return within.contains(day) ? `[data-day="${CSS.escape(day.dataset.day)}"]` : "";
}

function focusAgain(path, within) {
  const same = path && within.querySelector(path);
  if (same) same.focus({ preventScroll: true });
  if (document.activeElement !== document.body) return;
  // What had the focus is gone; the next thing to press is near it.
  within.tabIndex = -1;
  within.focus({ preventScroll: true });
}

for (const place of document.querySelectorAll("[data-calendar-live]")) new CalendarLive(place);
