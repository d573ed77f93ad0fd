// Keeps what is being typed. A form with data-autosave="URL" is posted there 500 ms after a change
// (1.5 s after the first one, if typing goes on without a pause), when a field is left, and when the
// page goes away: only the fields changed on this page, each with what it was filled from
// ("seen:NAME"), so that no tab undoes what was typed elsewhere. Where both were changed the server
// answers with both texts, and the student chooses in [data-doubts].
// Saves are numbered; an overtaken one is ignored, so the same one may be sent twice.
// A field with data-with="name" goes along whenever that other field does.
// What cannot be sent stays in localStorage, under the user and the page it was typed on, and is sent on
// the next page or when the connection is back. Nobody else who logs in here gets to see it.

const PAUSE = 500;
const LONGEST = 1500;
const FIRST_WAIT = 2000;
const LONGEST_WAIT = 60000;
// A request that hangs must be shown as not saved, too.
const PATIENCE = 10000;
const MOST_KEPT = 256 * 1024; // characters, over all pages
const LONGEST_KEPT = 30 * 24 * 3600 * 1000;
const HEARD = "draft-heard";
const NOT_ANSWERS = /^(csrfmiddlewaretoken$|save_|seen:|choice:)/;

// What only this browser has: entries {key, url, page, count, fields, seen, at}.
class Kept {
  #mine = `draft:${document.body.dataset.user}:`;

  constructor() {
    this.#clear((key) => !this.#belongsHere(key));
    if (document.body.dataset.user) sessionStorage.removeItem("draft-logout");
    document.addEventListener("submit", (event) => {
      if (event.target.matches("[data-logout]")) sessionStorage.setItem("draft-logout", "pressed");
    });
  }

  all() {
    const entries = this.#keys().filter((key) => key.startsWith(this.#mine)).map((key) => this.#read(key));
    return entries.filter(Boolean).sort((one, other) => one.at - other.at);
  }

  // Whether it could be kept: some browsers have no room, or none for us. Nothing to keep: gone.
  put(entry) {
    if (!Object.keys(entry.fields).length) {
      this.drop(entry);
      return true;
    }
    const text = JSON.stringify(entry);
    const others = this.all().filter(({ page }) => page !== entry.page);
    const size = others.reduce((sum, other) => sum + JSON.stringify(other).length, text.length);
    if (size > MOST_KEPT) return false;
    try {
      localStorage.setItem(this.#mine + entry.page, text);
      return true;
    } catch {
      return false;
    }
  }

  drop({ page, count }) {
    const entry = this.#read(this.#mine + page);
    if (entry && entry.count <= count) localStorage.removeItem(this.#mine + page);
  }

  // Without a user nobody knows whose page this is: kept for them, unless they have logged out.
  #belongsHere(key) {
    if (!document.body.dataset.user) return !sessionStorage.getItem("draft-logout");
    const entry = this.#read(key);
    return key.startsWith(this.#mine) && entry && Date.now() - entry.at < LONGEST_KEPT;
  }

  #keys() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith("draft:"));
    } catch {
      return [];
    }
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  #clear(gone) {
    for (const key of this.#keys().filter(gone)) localStorage.removeItem(key);
  }
}

function bodyOf({ page, count, fields, seen }, more = {}) {
  const body = new FormData();
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  const all = { csrfmiddlewaretoken: token, save_page: page, save_count: count, ...fields, ...seen, ...more };
  for (const [name, value] of Object.entries(all)) body.set(name, value);
  return body;
}

// Throws where trying again may help.
async function send(entry, { more, signal } = {}) {
  const signals = [AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])];
  const response = await fetch(entry.url, {
    method: "POST",
    body: bodyOf(entry, more),
    headers: { Accept: "application/json" },
    signal: AbortSignal.any(signals),
  });
  if (response.status >= 500) throw new Error("try again");
  const answer = await response.json().catch(() => ({}));
  return { status: response.status, not_taken: [], ...answer };
}

class Autosave {
  #form;
  #state;
  #doubts;
  #timer;
  #since; // the first change that no save has taken along
  #wait = FIRST_WAIT;
  #saved;
  #beaconed;
  #request;
  #page = crypto.getRandomValues(new Uint32Array(4)).join("-");
  #count = 0;
  #leaving = false;

  constructor(form) {
    this.#form = form;
    this.#state = form.querySelector("[data-save-state]");
    this.#doubts = form.querySelector("[data-doubts]");
    this.#saved = asServed(form);
    // An old text must not be put back over what the server has just sent.
    form.autocomplete = "off";
    this.#show(this.#doubts.innerHTML);
    form.addEventListener("input", (event) => this.#changed(event.target));
    form.addEventListener("change", (event) => this.#changed(event.target));
    form.addEventListener("focusout", () => this.#save());
    form.addEventListener("submit", () => this.#leave());
    form.addEventListener("click", (event) => {
      if (event.target.closest("[data-decide]")) this.#decide();
    });
    // Back from the next page the form may come as it was left, without being loaded again.
    addEventListener("pageshow", (event) => {
      this.#leaving = false;
      if (event.persisted) this.#save();
    });
    addEventListener("pagehide", () => this.#beacon());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#beacon();
    });
    addEventListener("online", () => this.#save());
  }

  get url() {
    return this.#form.dataset.autosave;
  }

  // What an earlier page had kept has arrived: it stands in the form, unless that was changed since.
  adopt(entry, answer) {
    const typed = this.#typed();
    for (const [name, value] of Object.entries(entry.fields)) {
      if (answer.not_taken.includes(name) || typed.get(name) !== this.#saved.get(name)) continue;
      this.#fill(name, value, answer.version);
    }
    this.#heard(answer);
  }

  failed(kind) {
    this.#say(kind, "");
  }

  // The form as the server has it by now; what was typed here since stays.
  async lookAgain() {
    if (this.#form.querySelector("[aria-invalid]")) return; // as it was sent, not as it is kept
    const response = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE) });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const now = [...page.querySelectorAll("form[data-autosave]")].find((one) => one.dataset.autosave === this.url);
    const typed = this.#typed();
    for (const [name, value] of now ? asServed(now) : []) {
      const here = this.#saved.get(name);
      if (value === here || typed.get(name) !== here) continue;
      this.#fill(name, value, now.elements.namedItem(`seen:${name}`)?.value ?? "");
    }
  }

  #typed() {
    return new Map([...new FormData(this.#form)].filter(([name]) => !NOT_ANSWERS.test(name)));
  }

  // The names of the fields that are not on the server yet, as far as this page knows.
  #news(typed) {
    const names = new Set([...typed.keys()].filter((name) => typed.get(name) !== this.#saved.get(name)));
    return this.#withCompanions(names);
  }

  #withCompanions(names) {
    for (const field of this.#form.querySelectorAll("[data-with]")) {
      if (names.has(field.dataset.with)) names.add(field.name);
    }
    return names;
  }

  // Fields whose text waits for a choice: sent with it, or when the page goes.
  #doubtful() {
    const waiting = [...this.#doubts.querySelectorAll("[data-doubt]")].map(({ dataset }) => dataset.doubt);
    return this.#withCompanions(new Set(waiting));
  }

  #entry(names, typed) {
    const seen = this.#form.querySelectorAll("[name^='seen:']");
    return {
      url: this.url,
      page: this.#page,
      count: (this.#count += 1),
      fields: Object.fromEntries([...names].map((name) => [name, typed.get(name) ?? ""])),
      seen: Object.fromEntries([...seen].map(({ name, value }) => [name, value])),
      at: Date.now(),
    };
  }

  // All that the server has not got, as far as this page knows, in this browser. Whether that was possible.
  #keep() {
    const typed = this.#typed();
    return kept.put(this.#entry(this.#news(typed), typed));
  }

  #seen(name) {
    return this.#form.elements.namedItem(`seen:${name}`);
  }

  #changed(field) {
    this.#leaving = false; // a submit that was stopped: the student types on
    const here = this.#doubts.querySelector(`[data-doubt="${CSS.escape(field.name)}"] [data-here]`);
    if (here) here.textContent = field.value;
    this.#due();
  }

  // Each change puts the save off, but not for ever: whoever types without a pause is saved, too.
  #due() {
    this.#since ??= performance.now();
    const longest = this.#since + LONGEST - performance.now();
    this.#soon(Math.max(0, Math.min(PAUSE, longest)));
  }

  // What is being submitted is newer than any save.
  #leave() {
    this.#leaving = true;
    clearTimeout(this.#timer);
    this.#request?.abort();
    const typed = this.#typed();
    const entry = this.#entry(this.#news(typed), typed);
    kept.put(entry);
    this.#form.elements.save_page.value = entry.page;
    this.#form.elements.save_count.value = entry.count;
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
    const names = this.#news(typed);
    for (const name of this.#doubtful()) {
      if (names.delete(name)) this.#say(this.#keep() ? "doubt" : "failed", "");
    }
    if (!names.size) return;
    const done = await this.#send(this.#entry(names, typed));
    if (done && !same(this.#typed(), typed)) this.#due();
  }

  // Whether the server has answered, whatever it said.
  async #send(entry, more) {
    this.#request = new AbortController();
    try {
      const answer = await send(entry, { more, signal: this.#request.signal });
      this.#wait = FIRST_WAIT;
      this.#answered(entry, answer);
      return true;
    } catch {
      if (this.#leaving) return false;
      this.#say(this.#keep() ? "kept" : "failed", "");
      this.#soon(this.#wait);
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
      return false;
    } finally {
      this.#request = undefined;
    }
  }

  #answered(entry, answer) {
    const locked = answer.status === 401 || answer.status === 403;
    if (locked) return this.#say(this.#keep() ? "locked" : "failed", answer.error ?? "");
    // Said, but not asked again until something else is typed: the answer would be the same.
    if (answer.saved === undefined) return this.#say("failed", answer.error ?? "");
    for (const [name, value] of Object.entries(entry.fields)) {
      if (!answer.not_taken.includes(name)) this.#know(name, value, answer.version);
    }
    this.#heard(answer);
    this.#keep();
  }

  #heard(answer) {
    heardNow();
    for (const [name, value] of Object.entries(answer.decided ?? {})) this.#fill(name, value, answer.version);
    // The times on the page belong to the one that was chosen before.
    if (answer.decided?.slot) return location.reload();
    if (answer.html || answer.decided) this.#show(answer.html);
    this.#say(this.#doubtful().size ? "doubt" : "saved", answer.saved);
  }

  #know(name, value, version) {
    this.#saved.set(name, value);
    if (this.#seen(name)) this.#seen(name).value = version;
  }

  #fill(name, value, version) {
    const field = this.#form.elements.namedItem(name);
    // A list of radio buttons finds the right one by itself; a single one would become it.
    if (field?.type === "radio") field.checked = field.value === value;
    else if (field) field.value = value;
    this.#know(name, field ? (this.#typed().get(name) ?? "") : value, version);
  }

  #show(html) {
    this.#doubts.innerHTML = html;
    const button = this.#doubts.querySelector("[data-decide]");
    if (button) button.hidden = false;
  }

  async #decide() {
    const chosen = [...this.#doubts.querySelectorAll("input:checked")];
    if (!chosen.length) return this.#doubts.querySelector("input").reportValidity();
    if (this.#request) return setTimeout(() => this.#decide(), PAUSE);
    const names = new Set(chosen.map(({ name }) => name.replace("choice:", "")));
    const [first] = names;
    const choices = Object.fromEntries(chosen.map(({ name, value }) => [name, value]));
    // A field that this page has not is not told: the choice is between what is saved and the other.
    const typed = this.#typed();
    for (const name of this.#withCompanions(names)) if (!typed.has(name)) names.delete(name);
    if (await this.#send(this.#entry(names, typed), choices)) {
      const next = this.#doubts.querySelector("#doubts") ?? this.#form.elements.namedItem(first);
      next?.focus?.();
    }
  }

  // The words come from the page, so that they are translated: data-saved="Saved {}".
  #say(kind, what) {
    if (!this.#state) return;
    this.#state.textContent = this.#state.dataset[kind].replace("{}", what).trim();
    this.#state.dataset.kind = kind;
  }

  // Nobody hears whether a beacon arrived: a page that comes back still has to save by itself.
  #beacon() {
    const typed = this.#typed();
    if (this.#leaving || (this.#beaconed && same(typed, this.#beaconed))) return;
    const names = this.#news(typed);
    if (!names.size) return;
    const entry = this.#entry(names, typed);
    kept.put(entry);
    navigator.sendBeacon(entry.url, bodyOf(entry));
    this.#beaconed = typed;
    for (const name of names) {
      this.#saved.delete(name);
      // From now on the base is what this page has sent, not what it was filled with.
      if (this.#seen(name)) this.#seen(name).value = this.#seen(name).value.split(" ")[0];
    }
  }
}

// The fields as the server has sent them, whatever the browser has put in since.
function asServed(form) {
  const fields = new Map();
  for (const field of form.elements) {
    if (!field.name || NOT_ANSWERS.test(field.name)) continue;
    if (field.type === "radio" || field.type === "checkbox") {
      if (field.defaultChecked) fields.set(field.name, field.value);
    } else if (field.options) {
      fields.set(field.name, ([...field.options].find((one) => one.defaultSelected) ?? field.options[0]).value);
    } else {
      fields.set(field.name, field.defaultValue);
    }
  }
  return fields;
}

function same(one, other) {
  return one.size === other.size && [...one].every(([name, value]) => other.get(name) === value);
}

// When any page heard last that something was saved, in ms since 1970.
function heardNow() {
  try {
    localStorage.setItem(HEARD, Date.now());
  } catch {
    // No room, or none for us: then the next page does not look again.
  }
}

function heardAt() {
  try {
    return Number(localStorage.getItem(HEARD));
  } catch {
    return 0;
  }
}

// The page before may have saved while this one was being made, and may be gone now without a trace.
function lookAgain() {
  if (heardAt() < performance.timeOrigin) return;
  for (const form of forms) form.lookAgain().catch(() => {});
}

// Sends what earlier pages could not; the form that it was typed in, if it is here, shows it.
async function deliver() {
  if (!document.body.dataset.user) return;
  for (const entry of kept.all().filter(({ page }) => !delivering.has(page))) {
    delivering.add(entry.page);
    const form = forms.find(({ url }) => url === entry.url);
    try {
      const answer = await send(entry, { more: { kept: "1" } });
      // Said by us: a proxy's own page is no proof that anything arrived. 200 and an error: enrolled by now.
      const refused = answer.error && [200, 409].includes(answer.status);
      const heard = answer.saved !== undefined || refused;
      if (heard || answer.status === 404) kept.drop(entry);
      if (heard) heardNow();
      if (answer.saved !== undefined) form?.adopt(entry, answer);
    } catch {
      form?.failed("kept");
    }
    delivering.delete(entry.page);
  }
}

const kept = new Kept();
const delivering = new Set();
const forms = [...document.querySelectorAll("form[data-autosave]")].map((form) => new Autosave(form));
addEventListener("online", deliver);
lookAgain();
deliver();
