// Counts down to the next public word, second by second, between two answers of the server.
const words = (span) => {
  const seconds = Math.floor(Math.abs(span) / 1000);
  const rest = String(seconds % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
};

const count = () => {
  for (const due of document.querySelectorAll("[data-word-due]")) {
    const span = new Date(due.dataset.wordDue) - Date.now();
    const isLate = span < 0;
    const told = (isLate ? due.dataset.late : due.dataset.left).replace("{time}", words(span));
    due.querySelector("[data-word-left]").textContent = told;
    due.classList.toggle("late", isLate);
    due.querySelector(".office-button")?.classList.toggle("primary", isLate);
  }
};

count();
setInterval(count, 1000);
