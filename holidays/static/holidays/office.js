// A closure's form shows what its kind and scope need; the rules themselves are the server's. What is
// hidden is not sent, and is there again when somebody changes their mind.
const NEEDED = {
  region: ({ scope }) => scope === "region",
  teachers: ({ scope }) => scope === "teachers",
  courses: ({ scope }) => scope === "courses",
  as_weekday: ({ kind }) => kind === "working_day",
  starts: ({ kind }) => kind !== "working_day",
  ends: ({ kind }) => kind !== "working_day",
};

const boxOf = (control) => control.closest("[class*='field-'], .office-field") ?? control.parentElement;

const showNeeded = (form) => {
  const chosen = { scope: form.elements.scope.value, kind: form.elements.kind.value };
  for (const [name, isNeeded] of Object.entries(NEEDED)) {
    const control = form.elements[name];
    if (!control) continue;
    // An error is never hidden: it says what to do.
    const box = boxOf(control);
    const shown = isNeeded(chosen) || box.matches(".errors, .group.errors, :has(.errorlist)");
    box.classList.toggle("holiday-hidden", !shown);
    control.disabled = !shown;
  }
};

// What a day's cell says on hover and focus goes with Escape, and comes back with the next one.
const letTipsGo = () => {
  const year = document.querySelector(".holiday-year");
  if (!year) return;
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") year.classList.add("quiet");
  });
  for (const kind of ["pointerover", "focusin"]) {
    year.addEventListener(kind, () => year.classList.remove("quiet"));
  }
};

addEventListener("DOMContentLoaded", () => {
  letTipsGo();
  const form = document.querySelector("select[name=scope]")?.form;
  if (!form?.elements.kind) return;
  const show = () => showNeeded(form);
  form.addEventListener("change", show);
  show();
});
