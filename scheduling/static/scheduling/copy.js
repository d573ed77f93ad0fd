// A button that copies a field: <button data-copy="id of the field" data-done="…" data-failed="…" hidden>, and
// near it an element [data-copied] that says so. Without this script the field is there to be selected by hand.
for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const said = button.closest("section").querySelector("[data-copied]");

  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      // There is none where a page comes without encryption.
      await navigator.clipboard.writeText(field.value);
      said.textContent = button.dataset.done;
    } catch {
      field.select();
      said.textContent = button.dataset.failed;
    }
  });
}
