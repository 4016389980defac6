// The forms that change something (data-action) are sent without leaving the page; what came of it is told at the
// foot of the page, with Undo. Without this script each form leads to the next page, which tells the same.
"use strict";

const RESULT_TIME = 10000; // milliseconds for which a result is shown
let resultTimer = 0;

// Shows what came of a form; `box` is the server's.
function showResult(box) {
  clearTimeout(resultTimer);
  for (const shown of document.querySelectorAll(".toast")) shown.remove();
  if (box === null) return;
  showTimes(box);
  document.body.append(document.importNode(box, true));
  resultTimer = setTimeout(() => document.getElementById("form-result")?.remove(), RESULT_TIME);
}

// A sentence of an error page, or of this script, in place of a result.
function showError(sentence) {
  const box = document.createElement("div");
  box.className = "toast";
  box.id = "form-result";
  box.setAttribute("role", "alert");
  box.textContent = sentence;
  showResult(box);
}

// The rows keep their place: after an action the next row has the focus of the one that went.
function rowAfter(row) {
  const rows = [...document.querySelectorAll("#rows tbody tr[id]")];
  return rows.slice(rows.indexOf(row) + 1).find((one) => !one.querySelector("input:checked"))?.id;
}

async function send(form, submitter) {
  const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  const body = new URLSearchParams(new FormData(form, submitter));
  const row = submitter?.closest("#rows tr"), next = row && rowAfter(row);
  const options = { method: "POST", body, headers: { Accept: "text/html" } };
  const response = await fetch(action, options);
  const fetched = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok) {
    showError(fetched.querySelector("main p")?.textContent.trim() || "It could not be done: reload the page.");
    return;
  }
  for (const open of document.querySelectorAll("details.menu[open]")) open.open = false;
  if (form.matches("[data-reset]")) form.reset();
  const isThisPage = new URL(response.url).pathname === location.pathname;
  if (isThisPage) {
    document.activeElement?.blur();
    for (const box of document.querySelectorAll("#rows input:checked")) box.checked = false;
    replaceParts(fetched, true);
  } else {
    await update();
  }
  showResult(fetched.getElementById("form-result"));
  if (next && !document.getElementById(row.id)) focusRow(document.getElementById(next));
}

function focusRow(row) {
  row?.setAttribute("aria-selected", "true");
  row?.querySelector("th a")?.focus({ preventScroll: true });
}

document.addEventListener("submit", async (event) => {
  const form = event.target, submitter = event.submitter;
  if (!form.matches("[data-action]") && form.closest("#form-result") === null) return;
  event.preventDefault();
  if (form.dataset.sending) return; // once for each press
  form.dataset.sending = "true";
  try {
    await send(form, submitter);
  } catch {
    showError("The server did not answer: nothing is known of what came of it. Try again.");
  } finally {
    delete form.dataset.sending;
  }
});

// The result of a form that this page was opened with goes by itself, too.
if (document.getElementById("form-result")) resultTimer = setTimeout(() => document.getElementById("form-result")?.remove(), RESULT_TIME);
