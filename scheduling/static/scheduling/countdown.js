// Counts down how long a time is still held. The words come with the page: [data-countdown] holds the
// seconds that were left when it was sent, [data-clock] what is seen, [data-said] what is read aloud,
// and a template what is said when the time is over. Nobody is told each second: only now and then.

const SAID_AT = [300, 60];

class Countdown {
  #place;
  #ends;
  #said = new Set();
  #ticking;

  constructor(place) {
    this.#place = place;
    // By this computer's own clock, but only its difference: the clock itself may be wrong.
    this.#ends = Date.now() + Number(place.dataset.countdown) * 1000;
    this.#ticking = setInterval(() => this.#tick(), 1000);
    // A tab that slept, or a page that comes back from the browser's memory, has missed some.
    addEventListener("pageshow", () => this.#tick());
    document.addEventListener("visibilitychange", () => this.#tick());
    this.#tick();
  }

  #tick() {
    const left = Math.max(0, Math.round((this.#ends - Date.now()) / 1000));
    if (left === 0) {
      this.#end();
      return;
    }
    const clock = this.#place.querySelector("[data-clock]");
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    clock.textContent = this.#place.dataset.left.replace("{}", time);
    clock.hidden = false;
    this.#say(left);
  }

  #say(left) {
    const reached = SAID_AT.filter((mark) => left <= mark);
    const mark = Math.min(...reached);
    if (!reached.length || this.#said.has(mark)) return;
    reached.forEach((one) => this.#said.add(one));
    const words = mark === 60 ? this.#place.dataset.soon : this.#place.dataset.minutes;
    this.#place.querySelector("[data-said]").textContent = words.replace("{}", Math.ceil(left / 60));
  }

  #end() {
    clearInterval(this.#ticking);
    const said = this.#place.querySelector("[data-said]");
    if (this.#said.has(0)) return;
    this.#said.add(0);
    this.#place.querySelector("[data-clock]").hidden = true;
    said.classList.remove("visually-hidden");
    said.textContent = this.#place.querySelector("template").content.textContent;
  }
}

for (const place of document.querySelectorAll("[data-countdown]")) new Countdown(place);
