// Closes a notice without leaving the page: posts its form, and goes on from where it stood. Where the post
// does not get through, the form is sent as it would be without this script.
const close = async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  if (button.disabled) return;
  button.disabled = true;
  try {
    // The answer leads back to this page, which need not be fetched again for the cookie that came with it.
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      redirect: "manual",
    });
    if (answer.type !== "opaqueredirect") throw new Error(answer.statusText);
    remove(form.closest("[data-notice]"));
  } catch {
    form.submit();
  }
};

// The focus goes to the next notice's button, else to the page itself: never to nowhere.
const remove = (notice) => {
  const all = document.getElementById("site-notices");
  notice.remove();
  const next = all.querySelector(".site-notice-close button") ?? document.getElementById("main") ?? document.body;
  if (!next.matches("button")) next.setAttribute("tabindex", "-1");
  next.focus({ preventScroll: true });
  if (!all.querySelector("[data-notice]")) all.remove();
};

document.querySelectorAll(".site-notice-close").forEach((form) => form.addEventListener("submit", close));
