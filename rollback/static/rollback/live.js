// Learns from the server that the feature of this page was switched off, and says so in place: nothing
// moves under somebody who is typing, and the link goes on where the page is served instead.
// [data-live] holds the socket's address, [data-feature] the feature, and a template the words.

const SHORTEST = 1000;
const LONGEST = 30000;

class Live {
  #place;
  #wait = SHORTEST;

  constructor(place) {
    this.#place = place;
    this.#open();
  }

  #open() {
    const socket = new WebSocket(this.#place.dataset.live);
    socket.addEventListener("message", (event) => {
      this.#wait = SHORTEST;
      this.#show(JSON.parse(event.data).on.includes(this.#place.dataset.feature));
    });
    // Without the socket the page is as good as without this script; many must not come back at once.
    socket.addEventListener("close", () => {
      setTimeout(() => this.#open(), this.#wait * (0.5 + Math.random()));
      this.#wait = Math.min(this.#wait * 2, LONGEST);
    });
  }

  #show(isOn) {
    const template = this.#place.querySelector("template");
    this.#place.replaceChildren(template, ...(isOn ? [] : [template.content.cloneNode(true)]));
  }
}

for (const place of document.querySelectorAll("[data-live]")) new Live(place);
