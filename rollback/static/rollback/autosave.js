// Keeps what is being typed. A form with data-autosave="URL" is posted there 500 ms after a change
// (1.5 s after the first one, if typing goes on without a pause), when a field is left, and when the
// page goes away: only the fields changed on this page, so that an old tab does not undo what was
// typed elsewhere. Saves are numbered; an overtaken one is ignored.
// A field with data-with="name" goes along whenever that other field does.

const PAUSE = 500;
const LONGEST = 1500;
const RETRY = 5000;
// A request that hangs must be shown as not saved, too.
const PATIENCE = 10000;

class Autosave {
  #form;
  #state;
  #timer;
  #since; // the first change that no save has taken along
  #saved;
  #beaconed;
  #request;
  #page = crypto.getRandomValues(new Uint32Array(4)).join("-");
  #count = 0;
  #leaving = false;

  constructor(form) {
    this.#form = form;
    this.#state = form.querySelector("[data-save-state]");
    this.#saved = this.#typed();
    form.addEventListener("input", () => this.#changed());
    form.addEventListener("change", () => this.#changed());
    form.addEventListener("focusout", () => this.#save());
    form.addEventListener("submit", () => this.#leave());
    // Back from the next page the form may come as it was left, without being loaded again.
    addEventListener("pageshow", () => { this.#leaving = false; });
    addEventListener("pagehide", () => this.#beacon());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#beacon();
    });
    addEventListener("online", () => this.#save());
  }

  #typed() {
    const fields = new Map(new FormData(this.#form));
    fields.delete("csrfmiddlewaretoken");
    return fields;
  }

  // The fields that are not on the server yet, or nothing.
  #news(typed) {
    const names = new Set([...typed.keys()].filter((name) => typed.get(name) !== this.#saved.get(name)));
    if (!names.size) return null;
    for (const field of this.#form.querySelectorAll("[data-with]")) {
      if (names.has(field.dataset.with)) names.add(field.name);
    }
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.#form.elements.csrfmiddlewaretoken.value);
    body.set("save_page", this.#page);
    body.set("save_count", String((this.#count += 1)));
    for (const name of names) body.set(name, typed.get(name));
    return body;
  }

  #changed() {
    this.#leaving = false; // a submit that was stopped: the student types on
    this.#due();
  }

  // Each change puts the save off, but not for ever: whoever types without a pause is saved, too.
  #due() {
    this.#since ??= performance.now();
    const longest = this.#since + LONGEST - performance.now();
    this.#soon(Math.max(0, Math.min(PAUSE, longest)));
  }

  #leave() {
    this.#leaving = true;
    clearTimeout(this.#timer);
    this.#request?.abort(); // what is being submitted is newer
  }

  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), wait);
  }

  async #save() {
    clearTimeout(this.#timer);
    if (this.#leaving) return;
    if (this.#request) return this.#soon(PAUSE);
    this.#since = undefined;
    const typed = this.#typed();
    const body = this.#news(typed);
    if (!body) return;
    this.#request = new AbortController();
    try {
      const response = await fetch(this.#form.dataset.autosave, {
        method: "POST",
        body,
        headers: { Accept: "application/json" },
        signal: AbortSignal.any([this.#request.signal, AbortSignal.timeout(PATIENCE)]),
      });
      if (response.status >= 500) throw new Error("try again");
      const answer = await response.json();
      if (response.ok) {
        this.#saved = typed;
        this.#say("saved", answer.saved);
      } else {
        // Said, but not asked again until something else is typed: the answer would be the same.
        this.#say("failed", answer.error || "");
      }
    } catch {
      if (!this.#leaving) {
        this.#say("failed", "");
        this.#soon(RETRY);
      }
    } finally {
      this.#request = undefined;
    }
    if (this.#saved === typed && !same(this.#typed(), typed)) this.#due();
  }

  // The words come from the page, so that they are translated: data-saved="Saved {}".
  #say(kind, what) {
    if (!this.#state) return;
    const words = this.#state.dataset[kind] || (kind === "saved" ? "Saved {}" : "Not saved yet. {}");
    this.#state.textContent = words.replace("{}", what).trim();
    this.#state.dataset.kind = kind;
  }

  // Nobody hears whether a beacon arrived: a page that comes back still has to save by itself.
  #beacon() {
    const typed = this.#typed();
    if (this.#leaving || (this.#beaconed && same(typed, this.#beaconed))) return;
    const body = this.#news(typed);
    if (body && navigator.sendBeacon(this.#form.dataset.autosave, body)) this.#beaconed = typed;
  }
}

function same(one, other) {
  return one.size === other.size && [...one].every(([name, value]) => other.get(name) === value);
}

for (const form of document.querySelectorAll("form[data-autosave]")) new Autosave(form);
