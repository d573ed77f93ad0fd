// The page that stands there while the database is lost looks whether it is back. One that was only asked
// for comes by itself then; one that holds what was sent says so, and waits for whoever sent it.

const SHORTEST = 4000;
const LONGEST = 20000;
const PATIENCE = 10000;

const status = document.querySelector("[data-lost]");
let wait = SHORTEST;

// Many must not come back at once.
const around = (time) => time * (0.75 + Math.random() / 2);

async function isBack() {
  const options = { method: "HEAD", cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) };
  try {
    const response = await fetch(status.dataset.lost, options);
    return response.status < 500; // being led elsewhere has the status 0
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
    location.replace(status.dataset.lost);
  }
}

status.textContent = status.dataset.looking;
setTimeout(look, around(wait));
