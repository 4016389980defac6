// The slider of the factor: the field tells its value while it moves, and the answer follows once it rests.
"use strict";

const REST_TIME = 300; // milliseconds without a move, after which the question is asked
const question = document.querySelector("[data-question]");
const slider = document.querySelector("input[type=range]");
const factors = slider.dataset.factors.split(" ");
let restTimer = 0, asking = null;

slider.addEventListener("input", () => {
  question.traffic.value = `${factors[slider.value]}x`;
  slider.setAttribute("aria-valuetext", `times ${factors[slider.value]}`);
  clearTimeout(restTimer);
  restTimer = setTimeout(ask, REST_TIME);
});

// Shows the answer in place, so that the slider keeps the focus; where it cannot be fetched, the browser says why.
async function ask() {
  const pairs = [...new FormData(question)].filter(([, value]) => value);
  const address = `${question.getAttribute("action")}?${new URLSearchParams(pairs)}`;
  asking?.abort();
  asking = new AbortController();
  document.getElementById("answer").setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" }, redirect: "error", signal: asking.signal });
    const fetched = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const id of ["often", "answer"]) {
      document.getElementById(id).replaceWith(document.importNode(fetched.getElementById(id), true));
    }
    document.title = fetched.title;
    history.pushState(null, "", address);
    showTimes(document.getElementById("answer"));
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
}

addEventListener("popstate", () => location.reload());
