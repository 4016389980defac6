// Live updates, and times in the viewer's zone. Without it all pages work, and show UTC.
"use strict";

const LATEST = 1500; // milliseconds within which all open pages look again, not all at once
const AGAIN = 10000; // milliseconds until a refused connection is tried again

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function ago(at) {
  const minutes = Math.round((Date.now() - at) / 60000);
  if (minutes < 0 || minutes >= 24 * 60) return "";
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ${minutes % 60} min ago`;
}

function showTimes(root) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    const told = at.toDateString() === new Date().toDateString() ? clock.format(at) : day.format(at);
    const past = ago(at);
    one.textContent = past && one.closest(".ago") ? past : past ? `${told} (${past})` : told;
    one.title = exact.format(at);
  }
  for (const one of root.querySelectorAll("[data-time]")) {
    one.textContent = clock.format(new Date(one.dataset.time));
  }
}

function say(state, words) {
  const live = document.getElementById("live");
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.querySelector(".say").textContent = words;
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

async function look() {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) {
      replace(fresh);
      say("on", "Live");
      document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
    } else {
      say("gone", fresh.querySelector("main p")?.textContent || "This page is no longer there");
    }
  } catch {
    say("lost", "Connection lost, trying again");
  } finally {
    looking = false;
  }
}

// A hidden page holds no connection: browsers open only a few to one host, and other tabs need them.
let source = null;

function connect() {
  if (source !== null || document.hidden || document.querySelector("[data-live]") === null) return;
  source = new EventSource("/live");
  source.addEventListener("open", () => say("on", "Live"));
  source.addEventListener("judged", () => setTimeout(look, Math.random() * LATEST));
  source.addEventListener("error", () => {
    say("lost", "Connection lost, trying again");
    if (source.readyState === EventSource.CLOSED) {
      disconnect();
      setTimeout(connect, AGAIN * (1 + Math.random()));
    }
  });
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

showTimes(document);
remember(document);
connect();
setInterval(() => showTimes(document), 60000);
