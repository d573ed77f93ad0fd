// Tells how long this page of a feature took to be there, and how long each part that htmx brought took:
// milliseconds and nothing else, once, when the page is left.
const place = document.querySelector("[data-timings]");
const MOST = 5;
const measured = [];
let load = 0;

function note(milliseconds) {
  if (milliseconds > 0 && measured.length < MOST) measured.push(Math.round(milliseconds));
}

// Until it can be used; who was in another tab meanwhile has not waited for it.
if (document.visibilityState === "visible") {
  new PerformanceObserver((list, observer) => {
    for (const { domContentLoadedEventEnd } of list.getEntries()) {
      if (!domContentLoadedEventEnd) return;
      note(domContentLoadedEventEnd);
      load = Math.round(domContentLoadedEventEnd);
      observer.disconnect();
    }
  }).observe({ type: "navigation", buffered: true });
}

const asked = new WeakMap();
document.addEventListener("htmx:beforeRequest", ({ detail }) => asked.set(detail.xhr, performance.now()));
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.xhr && asked.has(detail.xhr)) note(performance.now() - asked.get(detail.xhr));
});

document.addEventListener("visibilitychange", () => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (document.visibilityState === "visible" || !measured.length || !token) return;
  const told = new FormData();
  told.append("csrfmiddlewaretoken", token.value);
  told.append("feature", place.dataset.feature);
  for (const one of measured.splice(0)) told.append("ms", one);
  // Also by itself: the watch looks at how long it takes to come here, not at the parts.
  if (load) told.append("load", load);
  load = 0;
  navigator.sendBeacon(place.dataset.timings, told);
});
