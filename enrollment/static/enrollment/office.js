// What the admin's own markup leaves out for who hears a page or uses no mouse.
const CLICKED = "a[x-on\\:click]:not([href]), .cursor-pointer[x-on\\:click]";

const mend = () => {
  (document.getElementById("main") ?? document.getElementById("page"))?.setAttribute("role", "main");
  document.querySelectorAll(CLICKED).forEach(makeButton);
  // A menu that opens is no landmark.
  document.querySelectorAll("nav[x-show], #tabs-items").forEach((list) => (list.role = "none"));
  document.querySelectorAll("#changelist-filter h3").forEach((heading) => (heading.ariaLevel = "2"));
  document.querySelectorAll(".help-tooltip[aria-label]").forEach((sign) => (sign.role = "img"));
  document.querySelectorAll(".material-symbols-outlined").forEach(hideIcon);
  document.querySelectorAll(".select2-container").forEach(nameSelect);
  // Above the boxes that delete a row stands nothing: no header, then.
  document.querySelectorAll("thead th:not([role])").forEach((cell) => cell.textContent.trim() || (cell.role = "cell"));
  // A page with a title of its own has the trail above it, not a second title.
  const [trail, title] = document.querySelectorAll("#main h1");
  if (title) trail.role = "none";
  markCurrent([...document.querySelectorAll("#nav-sidebar a.active")]);
  nameSearch(document.getElementById("command-submit"));
  document.querySelectorAll(".simplebar-content-wrapper:not(:has(#result_list))").forEach((box) => {
    box.removeAttribute("role");
    box.removeAttribute("aria-label");
  });
};

const makeButton = (part) => {
  if (part.matches("a[href], button, input, select, [tabindex]")) return;
  part.setAttribute("role", "button");
  part.tabIndex = 0;
  part.addEventListener("keydown", (event) => {
    if (event.target !== part || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    part.click();
  });
};

// A page below another's address lights up both.
const HIGHLIGHT = ["active", "bg-base-100", "font-semibold", "text-primary-600", "dark:bg-white/[.06]", "dark:text-primary-500"];
const markCurrent = (links) => {
  const longest = Math.max(...links.map((link) => link.pathname.length));
  for (const link of links) {
    if (link.pathname.length < longest) link.classList.remove(...HIGHLIGHT);
    else link.setAttribute("aria-current", "page");
  }
};

// An icon is a word that a font turns into a picture; beside other words or a title it says nothing.
const hideIcon = (icon) => {
  const owner = icon.closest("a, button, [role=button], h1, h2, li");
  const words = owner && (owner.title || owner.ariaLabel || owner.innerText.trim() !== icon.innerText.trim());
  if (words && icon !== owner) icon.ariaHidden = "true";
};

const nameSearch = (button) => {
  if (!button) return;
  const dialog = button.closest("[x-data]");
  dialog.role = "dialog";
  dialog.ariaLabel = button.ariaLabel = button.nextElementSibling.placeholder;
};

// select2 hides the field that has the label, and puts a button into its list.
const nameSelect = (box) => {
  const label = box.previousElementSibling?.labels?.[0];
  if (!label) return;
  label.id ||= `label-of-${label.htmlFor}`;
  box.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]").forEach((part) => {
    const value = part.matches("[role=combobox]") && box.querySelector("[role=textbox]");
    part.setAttribute("aria-labelledby", value ? `${label.id} ${value.id}` : label.id);
  });
  box.querySelectorAll("ul > span").forEach((part) => (part.role = "listitem"));
};

// Once for what comes at once; our own changes are attributes, and call nobody.
let waiting = false;
const mendSoon = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    mend();
  });
};

addEventListener("load", () => {
  mend();
  new MutationObserver(mendSoon).observe(document.body, { childList: true, subtree: true });
});
