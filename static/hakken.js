// Makes waiting and missing pictures nicer. Every page works without it.
"use strict";

const WORDS = JSON.parse(document.body.dataset.words);
const ROOT = document.documentElement.dataset.root ?? "";
const SITE = "hakken.site";
const TITLES = "hakken.titles";
const TITLE_LANGUAGES = ["romaji", "english", "native"];
const USUAL_TITLES = document.body.dataset.titles;

/** What is kept under a key, after a value was put there, or null to forget it. localStorage may be switched off. */
function stored(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function waitingText(form) {
  const { username, source, with_username: other, export: file } = form.elements;
  if (!username) return file?.files[0] ? WORDS.reading.replace("{}", file.files[0].name) : "";
  if (other) return WORDS.readingBoth;
  const name = username.value.trim();
  if (/^https?:/i.test(name)) return WORDS.readingList;
  const site = source.selectedOptions[0].text;
  return WORDS.readingName.replace("{name}", () => name).replace("{site}", () => site);
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
  form.addEventListener("input", () => setWaiting(form, false)); // it is about to ask for something else
}

function endWaiting() {
  for (const form of document.querySelectorAll("[data-waiting]")) setWaiting(form, false);
}

// The back button may bring the page back as it was left, and who waits may stop that.
addEventListener("pageshow", ({ persisted }) => persisted && endWaiting());
addEventListener("keydown", ({ key }) => key === "Escape" && endWaiting());
window.navigation?.addEventListener("navigateerror", endWaiting);

for (const site of document.querySelectorAll("[data-remember]")) {
  const known = [...site.options].some((option) => option.value === stored(SITE));
  const chosen = [...site.options].some((option) => option.defaultSelected);
  if (known && !chosen) site.value = stored(SITE);
  site.addEventListener("change", () => stored("hakken.remember") && stored(SITE, site.value));
}

// The titles that were chosen last are asked for from the start; addresses keep saying theirs.
addEventListener("click", ({ target }) => {
  const titles = target.closest?.(".choice.titles");
  if (titles) stored(TITLES, /title(?:=|%3D)(\w+)/.exec(titles.href ?? titles.value)?.[1] ?? USUAL_TITLES);
}, { capture: true });
const wantedTitles = stored(TITLES) === "true" ? "english" : stored(TITLES); // as it once was kept
if (TITLE_LANGUAGES.includes(wantedTitles) && wantedTitles !== USUAL_TITLES) {
  for (const form of document.querySelectorAll("[data-ask], [data-search], [data-wall]")) {
    if (form.elements.title) continue;
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "title", value: wantedTitles }));
  }
  for (const link of document.querySelectorAll("[data-titled]")) link.search = `title=${wantedTitles}`;
}

// Chance is the visitor's: without scripts surprises come one after the other.
const SEEDS = 999_999;
addEventListener("click", ({ target }) => {
  const surprise = target.closest?.(".choice.surprise");
  if (!surprise) return;
  const place = surprise.href ? "href" : "value";
  const seed = 1 + Math.floor(Math.random() * SEEDS);
  surprise[place] = surprise[place].replace(/(surprise(?:=|%3D))\d+/, `$1${seed}`);
}, { capture: true });

// Buttons that move a shelf, where it has more than fits.
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const shelfOf = (button) => button.closest(".shelf-top").nextElementSibling;
addEventListener("click", ({ target }) => {
  if (!target.dataset?.scroll) return;
  const row = shelfOf(target);
  const forward = getComputedStyle(row).direction === "rtl" ? -1 : 1;
  row.scrollBy({ left: forward * target.dataset.scroll * 0.85 * row.clientWidth, behavior: CALM.matches ? "auto" : "smooth" });
});
function offerScrolling() {
  const buttons = [...document.querySelectorAll("[data-scroll]")];
  const needed = buttons.map((button) => shelfOf(button).scrollWidth > shelfOf(button).clientWidth);
  buttons.forEach((button, at) => { button.disabled = !needed[at]; });
}
offerScrolling();
addEventListener("resize", offerScrolling);
document.addEventListener("hakken:shown", offerScrolling);

// A page that came in two parts: its end may be another than the one that its start announced.
const read = document.querySelector(".read");
if (read) document.title = document.querySelector(".arrived").dataset.title;
const asking = document.querySelector(".asking");
if (asking && !read) {
  const lost = document.createElement("p");
  lost.textContent = WORDS.lost;
  asking.append(lost);
  asking.classList.add("over");
  document.querySelector(".late").classList.remove("late");
}

// What the slider's place means, while it moves.
addEventListener("input", ({ target: slider }) => {
  if (!slider.dataset?.told) return;
  const told = JSON.parse(slider.dataset.told);
  document.getElementById("f-told").textContent = told[slider.value - slider.min];
});

// A picture that does not come leaves the letter that stands under it.
function dropPicture(image) {
  if (image.matches?.(":is(.poster, .thumb) img")) image.hidden = true;
}
addEventListener("error", ({ target }) => dropPicture(target), { capture: true });

// Synopses and missing pictures come after the page, which is whole without them.
const PIECES = 3;
const PAUSE = 4000;

const MOST = 100;

/** The cards that lack something, by anime: it may stand on a shelf, too. */
function cardsById() {
  const cards = new Map();
  for (const card of document.querySelectorAll("[data-anime]")) {
    if (!card.querySelector("[data-synopsis]:empty") && card.querySelector(".poster img")) continue;
    cards.set(card.dataset.anime, [...(cards.get(card.dataset.anime) ?? []), card]);
  }
  return new Map([...cards].slice(0, MOST));
}

function addSynopsis(card, text) {
  const box = card.querySelector("[data-synopsis]");
  if (!text || !box || box.hasChildNodes()) return;
  for (const part of text.split("\n\n")) {
    box.append(Object.assign(document.createElement("p"), { textContent: part }));
  }
  // Room was kept for so much of it that nothing below moves.
  if (!box.matches(".awaited") || box.scrollHeight <= box.clientHeight) return;
  const rest = Object.assign(document.createElement("button"), { type: "button", className: "rest", textContent: WORDS.rest });
  rest.addEventListener("click", () => {
    box.classList.remove("awaited");
    box.tabIndex = -1;
    box.focus(); // else the keyboard would begin anew
    rest.remove();
  });
  box.append(rest);
}

function addPicture(card, address) {
  const poster = card.querySelector(".poster");
  if (!address || !poster || poster.querySelector("img")) return;
  const image = new Image(225, 318);
  image.alt = "";
  image.loading = "lazy";
  image.referrerPolicy = "no-referrer";
  image.src = address;
  poster.querySelector(".initial")?.after(image);
}

/** A trailer and where to watch it, on the page of one anime. */
function addLinks(card, trailer, streaming) {
  const box = card.querySelector("[data-watch]");
  if (!box || box.querySelector("a") || !(trailer || streaming.length)) return;
  const line = Object.assign(document.createElement("p"), { className: "out" });
  const link = (text, href) => Object.assign(document.createElement("a"), { className: "choice", rel: "noopener nofollow", textContent: text, href });
  if (trailer) line.append(link(WORDS.trailer, trailer));
  if (streaming.length) line.append(Object.assign(document.createElement("span"), { className: "leads", textContent: WORDS.watch }));
  line.append(...streaming.map(({ site, url }) => link(site, url)));
  box.replaceChildren(line);
}

async function addDetails(cards, pieces) {
  const answer = await fetch(`${ROOT}/api/v1/details?ids=${[...cards.keys()].join(",")}`);
  if (!answer.ok) return;
  const { details, complete } = await answer.json();
  for (const { anime_id: id, picture, synopsis, trailer, streaming } of details) {
    for (const card of cards.get(String(id)) ?? []) {
      addPicture(card, picture);
      addSynopsis(card, synopsis);
      addLinks(card, trailer, streaming);
    }
    cards.delete(String(id));
  }
  if (!complete && details.length && cards.size && pieces > 1) {
    setTimeout(() => addDetails(cards, pieces - 1).catch(() => {}), PAUSE);
  }
}

function complete() {
  for (const image of document.querySelectorAll(":is(.poster, .thumb) img")) {
    if (image.complete && image.naturalWidth === 0) dropPicture(image);
  }
  const cards = cardsById();
  if (cards.size) addDetails(cards, PIECES).catch(() => {});
}
complete();
document.addEventListener("hakken:shown", complete);

// For when there is no connection, and for who installs Hakken as an app.
addEventListener("load", () => navigator.serviceWorker?.register(document.body.dataset.worker).catch(() => {}));
