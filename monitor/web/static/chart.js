// The crosshair of a chart: reads single points by pointer, touch and arrow keys. The table below has them, too.
"use strict";

(() => {
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -15, PageDown: 15 };
  const pointDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const tickDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  let shown = null; // the minute of the point that is shown, which stays while parts of the page are replaced

  // A point has the minute, its place in percent, and texts: usage, limit, utilization, throttled; or `f` and two.
  const points = (plot) =>
    plot.dataset.points.split("|").map((text) => {
      const [minute, y, ...texts] = text.split("~");
      return { minute: Number(minute), y, texts };
    });

  function words({ y, texts }) {
    if (texts[0] === "f") return [`forecast ${texts[1]}`, `8 of 10: ${texts[2]}`];
    const [usage, limit, share, throttled] = texts;
    const lines = [y === "" ? "no data" : `usage ${usage}${share && ` (${share})`}`];
    if (limit) lines.push(`limit ${limit}`);
    if (throttled) lines.push(`throttled ${throttled}`);
    return lines;
  }

  const place = (plot, minute) => (minute - plot.dataset.start) / (plot.dataset.end - plot.dataset.start);

  function show(plot, point) {
    const chart = plot.closest(".chart"), tip = chart.querySelector(".tip"), at = place(plot, point.minute);
    shown = point.minute;
    for (const line of chart.querySelectorAll(".cross")) {
      line.setAttribute("x1", `${at * 100}%`);
      line.setAttribute("x2", `${at * 100}%`);
      line.removeAttribute("hidden");
    }
    const dot = chart.querySelector(".dot");
    dot.toggleAttribute("hidden", point.y === "");
    if (point.y !== "") {
      dot.setAttribute("cx", `${at * 100}%`);
      dot.setAttribute("cy", `${point.y}%`);
    }
    tip.textContent = [pointDay.format(new Date(point.minute * 60000)), ...words(point)].join("\n");
    tip.hidden = false;
    const box = chart.getBoundingClientRect(), area = plot.getBoundingClientRect();
    const x = area.left - box.left + at * area.width, left = x + 12 + tip.offsetWidth > box.width ? x - 12 - tip.offsetWidth : x + 12;
    tip.style.left = `${Math.max(0, Math.min(left, box.width - tip.offsetWidth))}px`;
  }

  function hide() {
    shown = null;
    for (const one of document.querySelectorAll(".chart :is(.cross, .dot, .tip)")) one.setAttribute("hidden", "");
  }

  const nearest = (all, minute) => all.reduce((best, one) => (Math.abs(one.minute - minute) < Math.abs(best.minute - minute) ? one : best));
  const plotOf = (event) => event.target.closest?.(".plotbox[data-points]");

  function showAt(plot, clientX) {
    const area = plot.getBoundingClientRect(), share = (clientX - area.left) / area.width;
    const minute = Number(plot.dataset.start) + share * (plot.dataset.end - plot.dataset.start);
    show(plot, nearest(points(plot), minute));
  }

  for (const name of ["pointermove", "pointerdown"]) {
    document.addEventListener(name, (event) => {
      const plot = plotOf(event);
      if (plot) showAt(plot, event.clientX);
      else if (shown !== null && document.activeElement?.matches(".plotbox") !== true) hide();
    });
  }

  // The newest point of the past is where a reader begins.
  function begin(plot, all) {
    const known = all.filter((one) => one.texts[0] !== "f" && one.y !== "");
    return known.at(-1) || all.at(-1);
  }

  document.addEventListener("keydown", (event) => {
    const plot = plotOf(event);
    if (!plot) return;
    if (event.key === "Escape") return hide();
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const all = points(plot), from = shown === null ? null : all.indexOf(nearest(all, shown));
    show(plot, from === null ? begin(plot, all) : all[Math.max(0, Math.min(all.length - 1, from + step))]);
  });
  document.addEventListener("focusin", (event) => {
    const plot = plotOf(event);
    if (plot?.matches(":focus-visible") && shown === null) show(plot, begin(plot, points(plot)));
  });
  document.addEventListener("focusout", (event) => plotOf(event) && hide());

  function showDays() {
    for (const one of document.querySelectorAll("[data-day]")) {
      const text = tickDay.format(new Date(one.dataset.day));
      if (one.textContent !== text) one.textContent = text;
    }
  }

  // Live updates replace the chart: its crosshair comes back at the same minute.
  new MutationObserver(() => {
    showDays();
    const plot = document.querySelector(".plotbox[data-points]");
    if (plot && shown !== null && plot.querySelector(".cross").hasAttribute("hidden")) show(plot, nearest(points(plot), shown));
  }).observe(document.getElementById("main"), { childList: true });
  showDays();
})();
