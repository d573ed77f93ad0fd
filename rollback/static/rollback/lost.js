// The page that stands there while the database is lost looks whether it is back. One that was only asked
// for comes by itself then; one that holds what was sent says so, and waits for whoever sent it.

const SHORTEST = 4000;
const LONGEST = 20000;
const PATIENCE = 10000;
const KEPT = "lost-wait"; // of this tab, and only for a while
const READY = "/readyz";

const status = document.querySelector("[data-lost]");

// One that came by itself and is lost again goes on waiting longer: what said "back" was wrong.
function firstWait() {
  try {
    const { wait, at } = JSON.parse(sessionStorage.getItem(KEPT));
    const isNew = Date.now() - at < 3 * LONGEST;
    return isNew && wait >= SHORTEST ? Math.min(wait * 1.5, LONGEST) : SHORTEST;
  } catch {
    return SHORTEST;
  }
}

function remember() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ wait, at: Date.now() }));
  } catch {
    // Without a place for it each page begins anew.
  }
}

let wait = firstWait();

// Many must not come back at once.
const around = (time) => time * (0.75 + Math.random() / 2);

const ask = (path, method) =>
  fetch(path, { method, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });

// The page itself is no witness: one that does not answer HEAD says 405 before it asks the database. So it
// is only asked where /readyz is not to be had from outside.
async function isBack() {
  try {
    const ready = await ask(READY, "GET");
    if (ready.ok) return true;
    if (ready.status >= 500) return false;
    const page = await ask(status.dataset.lost, "HEAD");
    return page.status < 500 && page.status !== 405; // being led elsewhere has the status 0
  } catch {
    return false;
  }
}

async function look() {
  if (!(await isBack())) {
    wait = Math.min(wait * 1.5, LONGEST);
    setTimeout(look, around(wait));
  } else if ("sent" in status.dataset) {
    status.textContent = status.dataset.back;
  } else {
    remember();
    location.replace(status.dataset.lost);
  }
}

status.textContent = status.dataset.looking;
setTimeout(look, around(wait));
