// The query bar: Backspace in an empty field removes the last chip, `field:value` and a space makes one.
"use strict";

const query = document.querySelector("[data-query]");
const box = query.querySelector("input[type=search]");

box.addEventListener("keydown", (event) => {
  const chips = query.querySelectorAll(".chip");
  if (event.key === "Backspace" && !box.value && chips.length) chips[chips.length - 1].click();
});

// One `q` in the address instead of one for the chips and one for the text; an empty one is left out.
query.addEventListener("formdata", (event) => {
  const text = event.formData.getAll("q").map((part) => part.trim()).filter(Boolean).join(" ");
  event.formData.delete("q");
  if (text) event.formData.set("q", text);
});

// A sheet of filters is closed by Escape and by a click elsewhere.
const facets = query.querySelector(".facets");
document.addEventListener("keydown", (event) => event.key === "Escape" && facets.removeAttribute("open"));
document.addEventListener("click", (event) => facets.contains(event.target) || facets.removeAttribute("open"));
