// Stays in touch with the server: by a websocket while there is one, else by asking. Nobody sees which.
//   url       the socket's address; empty: always ask
//   hello     what the page says first, as JSON (optional)
//   hear      takes what the socket said; returns false if the socket itself knows nothing at the moment
//   ask       asks by HTTP; answers whether the server did
//   stale     told the last moment (a Date) at which this page was up to date, when neither has
//             worked for half a minute; told null when one works again (optional)

const SHORTEST = 1000;
const LONGEST = 30000;
const FIRST_ASK = 1500;
const BETWEEN = 15000;
const HIDDEN = 300000; // between two questions of a page that nobody has looked at for long
const LOOK = 5000;
// The server says something every 15 seconds; a connection that was cut in silence says nothing.
const SILENCE = 40000;
const OLD = 30000;

const around = (time) => time * (0.75 + Math.random() / 2);

export class Contact {
  #socket = null;
  #live = false;
  #wait = SHORTEST;
  #between = BETWEEN;
  #asking;
  #spokenAt = Date.now();
  #freshAt = Date.now();
  #isOld = false;

  constructor({ url, hello, hear, ask, stale = () => {} }) {
    Object.assign(this, { url, hello, hear, ask, stale });
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("online", () => this.#seen());
    setInterval(() => this.#look(), LOOK);
    this.#askIn(around(BETWEEN));
    if (url) this.#open();
  }

  #open() {
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      return; // an address that this browser refuses: then we ask
    }
    this.#socket = socket;
    socket.addEventListener("open", () => this.greet());
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#heard(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => this.#closed(socket, code));
  }

  // Said again by a page that shows something else now.
  greet() {
    if (this.hello && this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(this.hello()));
    }
  }

  #heard(message) {
    this.#spokenAt = Date.now();
    if (this.hear(message) === false) return this.#lost();
    this.#wait = SHORTEST;
    this.#live = true;
    clearTimeout(this.#asking);
    return this.#fresh();
  }

  // Many must not come back at once. What was refused for good is hardly tried again.
  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (code >= 4000) this.#wait = LONGEST;
    // Never heard anything: then what may have changed since the page was read is asked for.
    if (!this.#live && this.#wait === SHORTEST) this.#askIn(around(FIRST_ASK));
    setTimeout(() => this.#socket ?? this.#open(), around(this.#wait));
    this.#wait = Math.min(this.#wait * 2, LONGEST);
    this.#lost();
  }

  #lost() {
    if (!this.#live) return;
    this.#live = false;
    this.#freshAt = this.#spokenAt;
    this.#between = BETWEEN;
    this.#askIn(around(FIRST_ASK));
  }

  #askIn(time) {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => this.#askNow(), time);
  }

  async #askNow() {
    const answered = await Promise.resolve(this.ask()).catch(() => false);
    if (this.#live) return;
    if (answered) this.#fresh();
    this.#between = document.hidden ? Math.min(this.#between * 2, HIDDEN) : BETWEEN;
    this.#askIn(around(this.#between));
  }

  #fresh() {
    this.#freshAt = Date.now();
    if (this.#isOld) this.stale(null);
    this.#isOld = false;
  }

  #seen() {
    if (document.hidden) return;
    this.#look();
    if (!this.#live) this.#askIn(0);
  }

  #look() {
    const now = Date.now();
    if (this.#live && now - this.#spokenAt > SILENCE) {
      const socket = this.#socket;
      socket?.close();
      this.#closed(socket, 1006);
    }
    if (this.#live || this.#isOld || now - this.#freshAt < OLD) return;
    this.#isOld = true;
    this.stale(new Date(this.#freshAt));
  }
}
