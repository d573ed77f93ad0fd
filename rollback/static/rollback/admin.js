// htmx would write a <style> of its own, which our content security policy does not allow.
document.head.insertAdjacentHTML(
  "beforeend",
  `<meta name="htmx-config" content='{"includeIndicatorStyles": false}'>`,
);
