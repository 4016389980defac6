// Live updates, and times in the viewer's time zone. Without this script all pages work, and show UTC.
"use strict";

const MAX_UPDATE_DELAY = 1500; // milliseconds, over which open pages spread their requests
const RETRY_INTERVAL = 10000; // milliseconds, until a rejected stream is opened again
const ACCESS_ENDED = "Access has ended: reload the page to log in";
const CONNECTION_LOST = "Connection lost";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// Ages are those of the server's clock, as the clock of this machine may be wrong.
let clockOffset = 0; // milliseconds by which this machine's clock is ahead of the server's

function setClock(page) {
  clockOffset = Date.now() - Number(page.body.dataset.now) * 1000;
}

// The zone of time as people write it: UTC, UTC+1, UTC+5:30.
function zoneOf(at) {
  const minutes = -at.getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "\u2212" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

const withZone = (at) => `${clock.format(at)} ${zoneOf(at)}`;

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
  for (const element of root.querySelectorAll("#as-of[data-at]")) {
    element.textContent = withZone(new Date(Number(element.dataset.at) * 1000));
  }
  for (const element of root.querySelectorAll("[data-time]")) {
    element.textContent = clock.format(new Date(element.dataset.time));
  }
}

// The states of the page: off (never connected), on (live), lost (connecting again), ended (access or page).
const live = document.getElementById("live");
const state = () => live.dataset.state;

const banner = document.getElementById("lost");
const NOT_LIVE = "(not live) ";
let lostAt = null; // when the page ceased to be live

// Says in the header, and over the whole width where it is not so, whether what is shown is live. text: why not.
function setState(value, text) {
  const isLost = value === "lost" || value === "ended";
  if (isLost && banner.hidden) lostAt = new Date();
  live.dataset.state = value;
  live.querySelector(".text").textContent = isLost ? "Not live" : text;
  banner.hidden = !isLost;
  document.title = (isLost ? NOT_LIVE : "") + document.title.replace(NOT_LIVE, "");
  if (isLost) tellAge(text);
}

// Tells why the page is not live, and how old it is.
function tellAge(text) {
  const asOf = Number(document.getElementById("as-of")?.dataset.at || 0) * 1000;
  const minutes = Math.max(Math.round((Date.now() - clockOffset - asOf) / 60000), 0);
  const age = asOf ? ` What you see is ${minutes < 1 ? "of now" : `${minutes} min old`} and does not change.` : "";
  const again = state() === "lost" ? " It is tried again." : "";
  banner.dataset.why = text;
  banner.querySelector(".text").textContent = `${text} at ${withZone(lostAt)}.${age}${again}`;
}

document.getElementById("try-now").addEventListener("click", async () => {
  if (await update()) connect();
});

// A part in use is not replaced: one with an open form or menu, a field with the focus, or a selection. Boxes and
// details that have a name (data-keep) are kept as they are instead.
function inUse(part) {
  const choice = getSelection(), focused = document.activeElement;
  const isTyping = part.contains(focused) && focused.matches("input:not([type=checkbox]), select, textarea, summary:not([data-keep] > *), details[open].menu *");
  const isOpen = part.querySelector("details[open]:not([data-keep])") !== null || part.matches(":popover-open");
  return isTyping || isOpen || (!choice.isCollapsed && part.contains(choice.anchorNode));
}

// How to find the link, button, box or summary with the focus in another version of a part.
function selectorOf(element, part) {
  if (!part.contains(element)) return "";
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.matches("[data-keep] > summary")) return `[data-keep="${CSS.escape(element.parentElement.dataset.keep)}"] > summary`;
  if (element.dataset.keep) return `[data-keep="${CSS.escape(element.dataset.keep)}"]`;
  return element.hasAttribute("href") ? `[href="${CSS.escape(element.getAttribute("href"))}"]` : "";
}

// The names of the boxes that are checked and of the details that are open.
const keptIn = (part) => [...part.querySelectorAll("[data-keep]:checked, details[data-keep][open]")].map((one) => one.dataset.keep);

function restore(part, kept) {
  for (const one of part.querySelectorAll("[data-keep]")) {
    if (one.matches("details")) one.open = kept.includes(one.dataset.keep);
    else if (one.matches("input")) one.checked = kept.includes(one.dataset.keep);
  }
}

const idsOf = (part) => [...part.querySelectorAll("tr[id]")].map((row) => row.id).join();

// Rows are not moved under the pointer: they are renewed where they stand, and the foot says that the order changed.
function renewRows(part, other) {
  for (const row of part.querySelectorAll("tr[id]")) {
    const fresh = other.querySelector(`#${CSS.escape(row.id)}`);
    if (fresh === null) continue;
    const added = document.importNode(fresh, true);
    if (row.hasAttribute("aria-selected")) added.setAttribute("aria-selected", "true");
    row.replaceWith(added);
  }
  part.querySelector("[data-order-changed]").hidden = false;
}

// isForced: also under the pointer, as its click had the part change.
function replacePart(part, other, isForced) {
  const focused = selectorOf(document.activeElement, part), chosen = part.querySelector("[aria-selected=true][id]")?.id;
  const offsets = [...part.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
  const kept = keptIn(part);
  const isHeld = !isForced && part.matches(":hover") && part.querySelector("[data-order-changed]") && idsOf(part) !== idsOf(other);
  const added = isHeld ? part : document.importNode(other, true);
  if (isHeld) renewRows(part, other);
  else part.replaceWith(added);
  restore(added, kept);
  added.querySelectorAll(".scroll").forEach((element, n) => (element.scrollLeft = offsets[n] || 0));
  if (chosen) added.querySelector(`#${CSS.escape(chosen)}`)?.setAttribute("aria-selected", "true");
  if (focused) added.querySelector(focused)?.focus({ preventScroll: true });
  added.dispatchEvent(new CustomEvent("headroom:updated", { bubbles: true }));
}

function replaceParts(fetched, isForced = false) {
  document.title = fetched.title;
  const asOf = fetched.getElementById("as-of");
  if (asOf) document.getElementById("as-of")?.replaceWith(document.importNode(asOf, true));
  showTimes(document);
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fetched.getElementById(part.id);
    if (other === null || (!isForced && inUse(part))) continue;
    showTimes(other);
    if (other.innerHTML !== part.innerHTML) replacePart(part, other, isForced);
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
      const why = fetched.querySelector("main p")?.textContent.trim().replace(/\.$/, "");
      setState("ended", why || "This page no longer exists");
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

// Empty fields are left out of the address, which people share.
document.querySelector("form.filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});

setClock(document);
showTimes(document);
connect();
setInterval(() => {
  showTimes(document);
  if (!banner.hidden) tellAge(banner.dataset.why);
}, 60000);
