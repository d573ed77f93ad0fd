// Keeps what is being typed. A form with data-autosave="URL" is posted there 500 ms after a change,
// when a field is left, and when the page goes away. Without JavaScript each step saves itself.

const PAUSE = 500;
const RETRY = 5000;
// A request that hangs must be shown as not saved, too.
const PATIENCE = 10000;

class Autosave {
  #form;
  #state;
  #timer;
  #saved;
  #beaconed;
  #sending = false;
  #leaving = false;

  constructor(form) {
    this.#form = form;
    this.#state = form.querySelector("[data-save-state]");
    this.#saved = this.#typed();
    form.addEventListener("input", () => this.#soon(PAUSE));
    form.addEventListener("change", () => this.#soon(PAUSE));
    form.addEventListener("focusout", () => this.#save());
    form.addEventListener("submit", () => { this.#leaving = true; });
    // Back from the next page the form may come as it was left, without being loaded again.
    addEventListener("pageshow", () => { this.#leaving = false; });
    addEventListener("pagehide", () => this.#beacon());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#beacon();
    });
    addEventListener("online", () => this.#save());
  }

  #body() {
    return new FormData(this.#form);
  }

  #typed() {
    const fields = [...this.#body()].filter(([name]) => name !== "csrfmiddlewaretoken");
    return JSON.stringify(fields);
  }

  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), wait);
  }

  async #save() {
    clearTimeout(this.#timer);
    const typed = this.#typed();
    if (typed === this.#saved || this.#leaving) return;
    if (this.#sending) return this.#soon(PAUSE);
    this.#sending = true;
    try {
      const response = await fetch(this.#form.dataset.autosave, {
        method: "POST",
        body: this.#body(),
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(PATIENCE),
      });
      const answer = await response.json();
      if (response.ok) {
        this.#saved = typed;
        this.#say("saved", answer.saved);
      } else {
        this.#failed(answer.error);
      }
    } catch {
      this.#failed();
    } finally {
      this.#sending = false;
    }
    if (this.#typed() !== typed) this.#soon(PAUSE);
  }

  #failed(why) {
    this.#say("failed", why || "");
    this.#soon(RETRY);
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
    if (this.#leaving || typed === this.#saved || typed === this.#beaconed) return;
    if (navigator.sendBeacon(this.#form.dataset.autosave, this.#body())) this.#beaconed = typed;
  }
}

for (const form of document.querySelectorAll("form[data-autosave]")) new Autosave(form);
