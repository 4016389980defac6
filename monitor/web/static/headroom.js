// Live updates, and times in the viewer's zone. Without it all pages work, and show UTC.
"use strict";

const LATEST = 1500; // milliseconds within which all open pages look again, not all at once
const AGAIN = 10000; // milliseconds until a refused connection is tried again
const OUT = "You are let in no longer: reload the page to log in";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// What time it is, is for the server to say: this machine's clock may be wrong.
let ahead = 0; // milliseconds, of this clock

function setClock(page) {
  ahead = Date.now() - Number(page.body.dataset.now) * 1000;
}

function ago(at) {
  const minutes = Math.round((Date.now() - ahead - at) / 60000);
  if (minutes < 0 || minutes >= 24 * 60) return "";
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ${minutes % 60} min ago`;
}

function showTimes(root) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    const told = at.toDateString() === new Date(Date.now() - ahead).toDateString() ? clock.format(at) : day.format(at);
    const past = ago(at);
    one.textContent = past && one.closest(".ago") ? past : past ? `${told} (${past})` : told;
    one.title = exact.format(at);
  }
  for (const one of root.querySelectorAll("[data-time]")) {
    one.textContent = clock.format(new Date(one.dataset.time));
  }
}

const live = document.getElementById("live");
const state = () => live.dataset.state;

function say(what, words) {
  live.dataset.state = what;
  const said = live.querySelector(".say");
  if (said.textContent !== words) said.textContent = words;
}

// What somebody is busy with stays as it is: a form that is open, a part that has the focus or a selection.
function busy(part) {
  const selected = getSelection();
  const within = !selected.isCollapsed && part.contains(selected.anchorNode);
  return within || part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
}

function replace(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other === null || busy(part)) continue;
    showTimes(other);
    if (other.innerHTML === part.innerHTML) continue;
    const scrolled = [...part.querySelectorAll(".wide")].map((one) => one.scrollLeft);
    const put = document.importNode(other, true);
    part.replaceWith(put);
    put.querySelectorAll(".wide").forEach((one, n) => (one.scrollLeft = scrolled[n] || 0));
    remember(put);
  }
}

let looking = false;

// Gives whether it is worth trying again.
async function look() {
  if (looking || document.hidden) return true;
  looking = true;
  try {
    const asked = { headers: { Accept: "text/html" }, redirect: "manual" };
    const answer = await fetch(location.pathname + location.search, asked);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const ours = fresh.getElementById("live") !== null;
    if (answer.status === 401 || answer.type === "opaqueredirect" || (answer.ok && !ours)) {
      say("gone", OUT);
      return false;
    }
    if (answer.ok) {
      setClock(fresh);
      replace(fresh);
      if (source !== null) say("on", "Live");
      document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
    } else {
      say("gone", fresh.querySelector("main p")?.textContent || "This page is no longer there");
    }
  } catch {
    say("lost", "Connection lost, trying again");
  } finally {
    looking = false;
  }
  return true;
}

function lookSoon() {
  setTimeout(look, Math.random() * LATEST);
}

// A hidden page holds no connection: browsers open only a few to one host, and other tabs need them.
let source = null;

function connect() {
  if (source !== null || document.hidden || document.querySelector("[data-live]") === null) return;
  source = new EventSource("/live");
  source.addEventListener("open", () => (state() === "off" ? say("on", "Live") : lookSoon()));
  source.addEventListener("judged", lookSoon);
  source.addEventListener("ended", () => {
    disconnect();
    say("gone", OUT);
  });
  source.addEventListener("error", () => {
    if (state() !== "gone") say("lost", "Connection lost, trying again");
    if (source.readyState === EventSource.CLOSED) refused();
  });
}

// The server answered, but not with events: the page itself tells why, or will be asked for again.
async function refused() {
  disconnect();
  if (await look()) setTimeout(connect, AGAIN * (1 + Math.random()));
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
    look();
  }
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);

// The name that somebody acknowledged with is filled in the next time.
function remember(root) {
  for (const one of root.querySelectorAll("input[name=who]")) {
    if (!one.value) one.value = localStorage.getItem("who") || "";
  }
}

addEventListener("submit", (event) => {
  const who = event.target.elements.who;
  if (who) localStorage.setItem("who", who.value);
});

// What is not filtered does not belong into an address that people share.
document.querySelector("form.filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});

setClock(document);
showTimes(document);
remember(document);
connect();
setInterval(() => showTimes(document), 60000);
