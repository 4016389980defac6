// Live updates, and times in the viewer's time zone. Without this script all pages work, and show UTC.
"use strict";

const MAX_UPDATE_DELAY = 1500; // milliseconds, over which open pages spread their requests
const RETRY_INTERVAL = 10000; // milliseconds, until a rejected stream is opened again
const ACCESS_ENDED = "Access has ended: reload the page to log in";
const CONNECTION_LOST = "Connection lost, trying again";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// Ages are those of the server's clock, as the clock of this machine may be wrong.
let clockOffset = 0; // milliseconds by which this machine's clock is ahead of the server's

function setClock(page) {
  clockOffset = Date.now() - Number(page.body.dataset.now) * 1000;
}

function ago(at) {
  const minutes = Math.round((Date.now() - clockOffset - at) / 60000);
  if (minutes < 0 || minutes >= 24 * 60) return "";
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ${minutes % 60} min ago`;
}

function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const text = at.toDateString() === new Date(Date.now() - clockOffset).toDateString() ? clock.format(at) : day.format(at);
    const past = ago(at);
    element.textContent = past && element.closest(".ago") ? past : past ? `${text} (${past})` : text;
    element.title = exact.format(at);
  }
  for (const element of root.querySelectorAll("[data-time]")) {
    element.textContent = clock.format(new Date(element.dataset.time));
  }
}

// The states of the page: off (never connected), on (live), lost (connecting again), ended (access or page).
const live = document.getElementById("live");
const state = () => live.dataset.state;

function setState(value, text) {
  live.dataset.state = value;
  const element = live.querySelector(".text");
  if (element.textContent !== text) element.textContent = text;
}

// A part in use is not replaced: one with an open form, the focus or a selection.
function inUse(part) {
  const selected = getSelection();
  const within = !selected.isCollapsed && part.contains(selected.anchorNode);
  return within || part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
}

function replaceParts(fetched) {
  document.title = fetched.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fetched.getElementById(part.id);
    if (other === null || inUse(part)) continue;
    showTimes(other);
    if (other.innerHTML === part.innerHTML) continue;
    const offsets = [...part.querySelectorAll(".scrollable")].map((element) => element.scrollLeft);
    const added = document.importNode(other, true);
    part.replaceWith(added);
    added.querySelectorAll(".scrollable").forEach((element, n) => (element.scrollLeft = offsets[n] || 0));
    fillAuthor(added);
  }
}

let updating = false;

// Fetches the page again. Returns false if access has ended, so that further attempts are useless.
async function update() {
  if (updating || document.hidden) return true;
  updating = true;
  try {
    const options = { headers: { Accept: "text/html" }, redirect: "manual" };
    const response = await fetch(location.pathname + location.search, options);
    const fetched = new DOMParser().parseFromString(await response.text(), "text/html");
    const isHeadroomPage = fetched.getElementById("live") !== null;
    if (response.status === 401 || response.type === "opaqueredirect" || (response.ok && !isHeadroomPage)) {
      setState("ended", ACCESS_ENDED);
      return false;
    }
    if (response.ok) {
      setClock(fetched);
      replaceParts(fetched);
      if (source !== null) setState("on", "Live");
      document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
    } else {
      setState("ended", fetched.querySelector("main p")?.textContent || "This page no longer exists");
    }
  } catch {
    setState("lost", CONNECTION_LOST);
  } finally {
    updating = false;
  }
  return true;
}

function updateSoon() {
  setTimeout(update, Math.random() * MAX_UPDATE_DELAY);
}

// A hidden page holds no connection: browsers open only a few to one host, and other tabs need them.
let source = null;

function connect() {
  if (source !== null || document.hidden || document.querySelector("[data-live]") === null) return;
  source = new EventSource("/live");
  source.addEventListener("open", () => (state() === "off" ? setState("on", "Live") : updateSoon()));
  source.addEventListener("judged", updateSoon);
  source.addEventListener("ended", () => {
    disconnect();
    setState("ended", ACCESS_ENDED);
  });
  source.addEventListener("error", () => {
    if (state() !== "ended") setState("lost", CONNECTION_LOST);
    if (source.readyState === EventSource.CLOSED) onRejected();
  });
}

// The server rejected the stream: fetching the page shows why; else the stream is opened again later.
async function onRejected() {
  disconnect();
  if (await update()) setTimeout(connect, RETRY_INTERVAL * (1 + Math.random()));
}

function disconnect() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    disconnect();
  } else {
    connect();
    update();
  }
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);

// Fills in the author that the last form was submitted with.
function fillAuthor(root) {
  for (const input of root.querySelectorAll("input[name=author]")) {
    if (!input.value) input.value = localStorage.getItem("author") || "";
  }
}

addEventListener("submit", (event) => {
  const author = event.target.elements.author;
  if (author) localStorage.setItem("author", author.value);
});

// Empty filters are left out of the address, which people share.
document.querySelector("form.filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});

setClock(document);
showTimes(document);
fillAuthor(document);
connect();
setInterval(() => showTimes(document), 60000);
