// Makes every <table data-grid> an ARIA date grid, also one that htmx puts in: one cell in the tab
// order, moved by the keyboard. Without this script it is a table of links, and works.
//  td[data-day="2026-12-03"] a day; with a link inside it can be chosen; data-chosen: it is.
//      [data-why] inside: why it cannot be.
//  table[aria-labelledby] names the heading; data-title is what that says now.
//  data-first, data-last: the days one can go to. data-url: another month, with {year} and {month}.
//  data-said: what the table changed to, for the page's [data-grid-said].

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
const PAGES = { PageUp: -1, PageDown: 1 };
const ASK = "table[data-grid]";

let wanted; // the day that gets the focus when its month is there
let within = false; // whether the focus was on what is being replaced

function upgrade(table) {
  table.setAttribute("role", "grid");
  for (const cell of daysOf(table)) {
    const link = cell.querySelector("a[href]");
    const why = cell.querySelector("[data-why]");
    cell.setAttribute("role", "gridcell");
    cell.setAttribute("aria-label", cell.dataset.name);
    cell.tabIndex = -1;
    if (link) link.tabIndex = -1;
    else cell.setAttribute("aria-disabled", "true");
    if (why) cell.setAttribute("aria-describedby", why.id);
    if ("chosen" in cell.dataset) cell.setAttribute("aria-selected", "true");
  }
  const first = table.querySelector("[data-chosen]") ?? table.querySelector("[data-day]:has(a[href])");
  (first ?? table.querySelector("[aria-current]") ?? daysOf(table)[0])?.setAttribute("tabindex", "0");
  table.addEventListener("keydown", pressed);
  table.addEventListener("click", clicked);
  table.addEventListener("focusin", ({ target }) => stop(target.closest("[data-day]")));
}

const daysOf = (table) => [...table.querySelectorAll("[data-day]")];
const cellOf = (table, day) => table.querySelector(`[data-day="${day}"]`);

// The one cell that Tab comes to is the one that was last here.
function stop(cell) {
  if (!cell) return;
  for (const other of daysOf(cell.closest("table"))) other.tabIndex = other === cell ? 0 : -1;
}

function pressed(event) {
  const cell = event.target.closest("[data-day]");
  if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
  const to = goal(event, cell);
  if (to) go(cell.closest("table"), to);
  else if (event.key === "Enter" || event.key === " ") choose(cell);
  else return;
  event.preventDefault();
}

function goal({ key, shiftKey }, cell) {
  if (key in PAGES) return monthsOn(cell.dataset.day, PAGES[key] * (shiftKey ? 12 : 1));
  if (shiftKey) return undefined;
  const row = [...cell.parentElement.querySelectorAll("[data-day]")];
  if (key === "Home") return row[0].dataset.day;
  if (key === "End") return row.at(-1).dataset.day;
  const mirrored = key.startsWith("Arrow") && Math.abs(STEPS[key]) === 1 && isRightToLeft(cell);
  return key in STEPS ? daysOn(cell.dataset.day, mirrored ? -STEPS[key] : STEPS[key]) : undefined;
}

const isRightToLeft = (element) => getComputedStyle(element).direction === "rtl";

// Dates without a clock: reckoned in UTC, where every day has 24 hours.
function daysOn(day, by) {
  const date = new Date(`${day}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}

// The same day of another month, or its last.
function monthsOn(day, by) {
  const [year, month, date] = day.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + by, 0));
  last.setUTCDate(Math.min(date, last.getUTCDate()));
  return last.toISOString().slice(0, 10);
}

function go(table, day) {
  const { first, last, url } = table.dataset;
  const to = first && day < first ? first : last && day > last ? last : day;
  const cell = cellOf(table, to) ?? cellOf(table, day);
  if (cell) return cell.focus();
  const [year, month] = to.split("-");
  if (!url) return undefined;
  wanted = to;
  return load(table, url.replace("{year}", year).replace("{month}", month));
}

function load(table, url) {
  if (!window.htmx || !table.closest("[hx-target]")) return location.assign(url);
  return window.htmx.ajax("GET", url, { source: table });
}

function choose(cell) {
  const link = cell.querySelector("a[href]");
  if (link) link.click();
  else say(`${cell.dataset.name}: ${cell.querySelector("[data-why]")?.textContent.trim() ?? ""}`);
}

// A press on a link inside a day must not leave the focus on what is gone a moment later.
function clicked({ target }) {
  const cell = target.closest("[data-day]");
  if (cell?.querySelector("a[href]")) wanted = cell.dataset.day;
}

function say(text) {
  const region = document.querySelector("[data-grid-said]");
  if (region && text) region.textContent = text;
}

function arrived() {
  for (const table of document.querySelectorAll(`${ASK}:not([role])`)) {
    upgrade(table);
    const heading = document.getElementById(table.getAttribute("aria-labelledby"));
    // Announced by the heading itself, and only when it is another month.
    if (heading && table.dataset.title && heading.textContent.trim() !== table.dataset.title) {
      heading.textContent = table.dataset.title;
    }
    say(table.dataset.said);
    const lost = within && (document.activeElement === document.body || !document.activeElement);
    if (wanted) (cellOf(table, wanted) ?? table.querySelector("[tabindex='0']"))?.focus();
    else if (lost) table.querySelector("[tabindex='0']")?.focus();
    wanted = undefined;
  }
}

for (const table of document.querySelectorAll(ASK)) upgrade(table);
document.addEventListener("htmx:beforeSwap", () => {
  within = document.activeElement !== document.body;
});
document.addEventListener("htmx:afterSwap", arrived);
// What could not be brought up to date is loaded as a whole, which says what is wrong.
for (const failed of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failed, ({ detail }) => {
    if (detail.elt?.closest("[data-grid-page]")) location.assign(detail.pathInfo.requestPath);
  });
}
