// Learns from the server that the feature of this page was switched off, and says so in place: nothing
// moves under somebody who is typing, and the link goes on where the page is served instead.
// [data-live] holds the socket's address, [data-ask] where the same is asked for without a socket,
// [data-feature] the feature, and a template the words. Whoever was turned away by a door may say so
// by the event "feature:asked"; "feature:told" tells what is on.
import { Contact } from "./contact.js";

const PATIENCE = 10000;

class Live {
  #place;
  #etag = "";

  constructor(place) {
    this.#place = place;
    const ask = () => this.#ask();
    document.addEventListener("feature:asked", ask);
    new Contact({ url: place.dataset.live, hear: ({ on }) => this.#show(on), ask });
  }

  async #ask() {
    const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
    const answer = await fetch(this.#place.dataset.ask, { headers, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.ok) {
      this.#etag = answer.headers.get("ETag") ?? "";
      this.#show((await answer.json()).on);
    }
    return answer.ok || answer.status === 304;
  }

  #show(on) {
    const isOn = on.includes(this.#place.dataset.feature);
    const template = this.#place.querySelector("template");
    const isSaid = this.#place.childElementCount > 1;
    if (isOn === isSaid) {
      this.#place.replaceChildren(template, ...(isOn ? [] : [template.content.cloneNode(true)]));
    }
    document.dispatchEvent(new CustomEvent("feature:told", { detail: { on } }));
  }
}

for (const place of document.querySelectorAll("[data-live]")) new Live(place);
