// Makes waiting and missing pictures nicer. Every page works without it.
"use strict";

const SITE = "hakken.site";

/** localStorage may be switched off; then nothing is remembered. */
function stored(value) {
  try {
    if (value !== undefined) localStorage.setItem(SITE, value);
    return localStorage.getItem(SITE);
  } catch {
    return null;
  }
}

function waitingText(form) {
  const { username, source, export: file } = form.elements;
  if (!username) return file?.files[0] ? `Reading ${file.files[0].name}…` : "";
  const name = username.value.trim();
  if (/^https?:/i.test(name)) return "Reading the list…";
  return `Reading ${name}’s list from ${source.selectedOptions[0].text}…`;
}

function setWaiting(form, waiting) {
  const status = form.querySelector("[data-status]");
  status.textContent = waiting ? waitingText(form) : "";
  form.toggleAttribute("data-waiting", waiting);
}

for (const form of document.querySelectorAll("[data-ask]")) {
  form.addEventListener("submit", (event) => {
    // A second press would only ask the site for the same list twice.
    if (form.hasAttribute("data-waiting")) return event.preventDefault();
    setWaiting(form, true);
  });
}

// The back button may bring the page back as it was left.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("[data-waiting]")) setWaiting(form, false);
});

const site = document.querySelector("[data-remember]");
if (site) {
  const known = [...site.options].some((option) => option.value === stored());
  const chosen = [...site.options].some((option) => option.defaultSelected);
  if (known && !chosen) site.value = stored();
  site.addEventListener("change", () => stored(site.value));
}

function dropPicture(image) {
  image.hidden = true;
}
for (const image of document.querySelectorAll(".poster img")) {
  if (image.complete && image.naturalWidth === 0) dropPicture(image);
  image.addEventListener("error", () => dropPicture(image));
}
