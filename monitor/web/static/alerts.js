// The page of alerts: several at once. Without this script, boxes and buttons work as they are.
"use strict";

const boxes = () => [...document.querySelectorAll("#rows .a-sel input")];

// Says how many are selected, and enables what acts on them.
function count() {
  const bar = document.querySelector("[data-bulk]");
  if (bar === null) return;
  const all = boxes(), chosen = all.filter((box) => box.checked).length, everything = bar.querySelector("[data-all]");
  bar.classList.toggle("on", chosen > 0);
  bar.querySelector("[data-picked]").textContent = chosen ? `${chosen} selected` : `Select all ${all.length}`;
  bar.querySelector("[data-bulk-ack]").disabled = chosen === 0;
  bar.querySelector("summary").setAttribute("aria-disabled", String(chosen === 0));
  everything.hidden = false;
  everything.checked = chosen > 0 && chosen === all.length;
  everything.indeterminate = chosen > 0 && chosen < all.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of boxes()) box.checked = event.target.checked;
  count();
});

document.addEventListener("click", (event) => {
  const summary = event.target.closest("summary[aria-disabled=true]");
  if (summary) event.preventDefault();
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

document.addEventListener("headroom:updated", count);
count();
