// Sign-up: preselects the time zone this browser runs in. Without it the school's own zone is preselected.
const select = document.querySelector("select[data-own-zone]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

if (select && select.dataset.ownZone === "guess" && select.querySelector(`option[value="${CSS.escape(zone)}"]`)) {
  select.value = zone;
}
