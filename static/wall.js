// Counts what was tapped, takes a second tap back, and finds further posters to tap while somebody types.
// Without it the buttons send what is marked, and what is searched for.
"use strict";

{
  const wall = document.querySelector("[data-wall]");
  const told = wall.querySelector("[data-tapped]");
  const bar = wall.querySelector("progress");
  const first = told.textContent;
  let marked = null;
  // Picks that were made before count, too; one that is found again and tapped is not another.
  const made = [...(wall.elements.picks?.value ?? "").matchAll(/(\d+)-/g)].map(([, id]) => `t${id}`);

  function tell() {
    const tapped = [...wall.querySelectorAll("input:checked")].map(({ name }) => name);
    const count = new Set([...made, ...tapped]).size;
    const left = bar.max - count;
    bar.value = count;
    const { one, more: many } = told.dataset;
    const more = left > 0 ? ` ${left === 1 ? one : many.replace("{}", left)}` : "";
    told.textContent = count ? told.dataset.count.replace("{}", count) + more : first;
  }
  // Whether a radio was marked is known before the tap only.
  wall.addEventListener("pointerdown", ({ target }) => {
    const radio = target.closest("input") ?? target.closest("label")?.control;
    marked = radio?.checked ? radio : null;
  });
  function takeBack(event) {
    if (!marked || event.target !== marked) return;
    marked.checked = false;
    marked = null;
    tell();
  }
  wall.addEventListener("click", takeBack);
  // A key does not click a radio that is marked.
  wall.addEventListener("keydown", ({ key, target }) => { marked = key === " " && target.checked ? target : null; });
  wall.addEventListener("keyup", (event) => {
    if (event.key !== " " || event.target !== marked) return;
    event.preventDefault();
    takeBack(event);
  });
  wall.addEventListener("change", tell);

  // What is tapped is not lost when a title is scored or removed, or titles are called otherwise, before it is sent.
  const picker = new URL(document.querySelector("[data-search]").action).pathname;
  const taps = () => [...wall.querySelectorAll("input:checked")].map(({ name, value }) => [name, value]);
  addEventListener("formdata", ({ target, formData }) => {
    if (target.matches(".scoring")) for (const [name, value] of taps()) formData.append(name, value);
  });
  addEventListener("click", (event) => {
    const link = event.target.closest?.("main a, a[hreflang]");
    if (!link) return;
    if (link.matches(".picked .go") && taps().length && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      wall.requestSubmit(); // which sends the picks, too
    } else if (link.pathname === picker) {
      const url = new URL(link.href);
      for (const [name, value] of taps()) url.searchParams.set(name, value);
      link.href = url;
    }
  }, { capture: true });
  addEventListener("pageshow", tell);

  const form = document.querySelector("[data-search]");
  const status = document.querySelector("[data-search-status]");
  const found = wall.querySelector("[data-found]");
  const known = wall.querySelector("[data-known]");
  const titles = form.elements.title?.value ?? document.body.dataset.titles;
  const JAPANESE = /[々぀-ヿ㐀-鿿ｦ-ﾟ]/;
  const PAUSE = 200;
  const LIMIT = 12;
  let waiting = 0;
  let latest = 0;

  function emptyTile() {
    const tile = document.querySelector("[data-tile]").content.firstElementChild.cloneNode(true);
    tile.inert = true;
    return tile;
  }

  function makeTile({ anime_id: id, title: romaji, title_english: english, title_native: native, picture }) {
    const tile = emptyTile();
    const title = { english, native }[titles] || romaji;
    tile.inert = false;
    tile.querySelector(".poster").className = `poster tint-${id % 6}`;
    tile.querySelector(".initial").textContent = [...title][0];
    for (const place of tile.querySelectorAll("legend, .tap-title")) {
      place.textContent = title;
      if (JAPANESE.test(title)) place.lang = "ja";
    }
    const before = known.querySelector(`input[name=t${id}]:checked`)?.value;
    for (const label of tile.querySelectorAll("label")) {
      const input = label.querySelector("input");
      label.htmlFor = input.id = `f${input.value}-${id}`;
      input.name = `t${id}`;
      if (input.value === before) input.checked = true;
    }
    addPicture(tile, picture);
    return tile;
  }

  /** Makes room at once, so that nothing moves when the answer comes; what was tapped stays. */
  function makeRoom() {
    for (const tile of [...found.children]) {
      const tapped = tile.querySelector("input:checked");
      if (!tapped) continue;
      known.querySelector(`input[name=${tapped.name}]`)?.closest("li").remove();
      known.prepend(tile);
      known.hidden = false;
    }
    const asked = form.elements.q.value.trim();
    document.querySelector("[data-rows]")?.remove();
    found.hidden = !asked;
    found.replaceChildren(...Array.from({ length: asked ? LIMIT : 0 }, emptyTile));
    if (!asked) status.textContent = "";
    return asked;
  }

  async function search(asked) {
    const mine = ++latest;
    if (!asked) return;
    const address = `${form.dataset.search}?${new URLSearchParams({ search: asked, limit: LIMIT })}`;
    const anime = await fetch(address).then((answer) => answer.json()).then((found) => found.anime).catch(() => null);
    if (mine !== latest) return;
    if (!anime) {
      found.replaceChildren();
      found.hidden = true;
      status.textContent = status.dataset.failed;
      return;
    }
    found.style.minBlockSize = `${found.offsetHeight}px`;
    found.replaceChildren(...anime.map(makeTile));
    const { one, many } = status.dataset;
    status.textContent = anime.length === 1 ? one : many.replace("{}", anime.length);
    tell();
  }

  function start(pause) {
    clearTimeout(waiting);
    const asked = makeRoom();
    waiting = setTimeout(() => search(asked), asked ? pause : 0);
  }
  form.elements.q.addEventListener("input", () => start(PAUSE));
  form.addEventListener("submit", (event) => {
    event.preventDefault(); // what was tapped would be lost
    start(0);
  });
}
