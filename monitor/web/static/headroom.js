// What the pages do beyond links and forms: colours, keyboard, copying, messages. They work without it, too.
"use strict";

const THEMES = { auto: "as the system", light: "light", dark: "dark" };
const TOAST_TIME = 2500, UNDO_TIME = 10000, COPIED_TIME = 2000; // milliseconds
const NEXT_KEY_TIME = 1500; // milliseconds after `g`

document.documentElement.classList.add("scripted");

// A message at the foot of the page; with `undo`, a function, it has a button that calls it.
let toastTimer = 0;

function toast(text, undo) {
  document.querySelector(".toast")?.remove();
  clearTimeout(toastTimer);
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  box.append(text + " ");
  if (undo) {
    const button = document.createElement("button");
    button.className = "button";
    button.dataset.undo = "";
    button.textContent = "Undo (u)";
    button.addEventListener("click", () => (box.remove(), undo()));
    box.append(button);
  }
  document.body.append(box);
  toastTimer = setTimeout(() => box.remove(), undo ? UNDO_TIME : TOAST_TIME);
}

window.headroom = { toast };

document.getElementById("theme")?.addEventListener("click", (event) => {
  event.preventDefault();
  const names = Object.keys(THEMES), root = document.documentElement;
  const next = names[(names.indexOf(root.dataset.theme || "auto") + 1) % names.length];
  document.cookie = `theme=${next}; path=/; max-age=${365 * 86400}; samesite=lax`;
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  event.currentTarget.setAttribute("aria-label", `Colours: ${THEMES[next]}. Switch`);
  toast(`Colours: ${THEMES[next]}`);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button === null) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // the clipboard is not allowed
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), COPIED_TIME);
});

// The rows that `j` and `k` go through: those of the table `rows`, each with a link in its heading.
const rows = () => [...document.querySelectorAll("#rows tbody tr")].filter((row) => !row.hidden && row.querySelector("th a"));
const selected = () => document.querySelector("#rows tr[aria-selected=true]");

function select(step) {
  const all = rows(), at = all.indexOf(selected()) + step;
  const row = all[Math.max(0, Math.min(all.length - 1, at))];
  if (row === undefined) return;
  selected()?.removeAttribute("aria-selected");
  row.setAttribute("aria-selected", "true");
  row.querySelector("th a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function acknowledge() {
  const several = document.querySelector("#rows input[type=checkbox]:checked") && document.querySelector("[data-bulk-ack]");
  const alone = selected() || (document.getElementById("rows") ? null : document);
  (several || alone?.querySelector("[data-ack]"))?.click();
}

const KEYS = {
  "/": () => document.querySelector("input[type=search]")?.focus(),
  "?": () => document.getElementById("help")?.togglePopover(),
  j: () => select(1),
  k: () => select(-1),
  x: () => selected()?.querySelector("input[type=checkbox]")?.click(),
  a: acknowledge,
  u: () => document.querySelector("[data-undo]")?.click(),
};

const isField = (element) => /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName) && element.type !== "checkbox";
let goUntil = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isField(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog:is([open], :popover-open)") && event.key !== "?") return;
  const page = Date.now() < goUntil && document.querySelector(`#nav a[data-key="${CSS.escape(event.key)}"]`);
  goUntil = event.key === "g" ? Date.now() + NEXT_KEY_TIME : 0;
  if (page) {
    location.href = page.href;
  } else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
