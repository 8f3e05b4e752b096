// Lists that were looked at, with what was hidden and filtered, if the visitor asked to have them remembered. Never sent.
"use strict";

{
  const LISTS = "hakken.lists";
  const MOST = 6;
  const PASSING = ["n", "surprise", "format", "view", "apply", "lang"];
  const remember = document.getElementById("remember");
  const place = document.querySelector("[data-recents]");

  function known() {
    try {
      return JSON.parse(stored(LISTS) ?? "[]");
    } catch {
      return [];
    }
  }

  function ofPath(path) {
    return known().find((list) => list.path.toLowerCase() === path.toLowerCase());
  }

  function asked() {
    const query = new URLSearchParams(location.search);
    for (const name of PASSING) query.delete(name);
    return query;
  }

  let isForgotten = false;
  let left = ""; // what is kept of this list, where the page came without it and nothing was changed since

  /** Keeps the list of this page as it stands in the address; of picks only the latest. */
  function keep() {
    const shown = document.querySelector("[data-recent]");
    if (!shown || isForgotten || !stored("hakken.remember")) return;
    const { pathname: path } = location;
    const picks = `${ROOT}/picks/`;
    const isPicks = path.startsWith(picks);
    const others = known().filter((list) => list.path.toLowerCase() !== path.toLowerCase() && !(isPicks && list.path.startsWith(picks)));
    const list = { path, label: shown.dataset.recent, query: left || asked().toString() };
    stored(LISTS, JSON.stringify([list, ...others].slice(0, MOST)));
  }

  function offer() {
    if (!place) return;
    const links = known().map(({ path, label, query }) => {
      const link = Object.assign(document.createElement("a"), { className: "choice", textContent: label });
      link.href = query ? `${path}?${query}` : path;
      return link;
    });
    document.documentElement.toggleAttribute("data-lists", links.length > 0);
    place.replaceChildren(place.firstElementChild, ...links);
  }

  function forget() {
    stored(LISTS, null);
    stored(SITE, null);
    isForgotten = true; // else leaving the page would keep its list again
    left = "";
    offer();
  }

  remember.checked = Boolean(stored("hakken.remember"));
  remember.addEventListener("change", () => {
    stored("hakken.remember", remember.checked ? "on" : null);
    isForgotten = false;
    if (remember.checked) keep();
    else forget();
  });
  document.querySelector("[data-forget]").addEventListener("click", forget);

  // A name that is typed again is asked for as it was left. The form itself stays as it is, for another name.
  addEventListener("formdata", ({ target: form, formData: data }) => {
    const { username, source } = form.elements;
    if (!username || !source || !form.action.endsWith("/recommend")) return;
    const path = `${ROOT}/user/${source.value}/${encodeURIComponent(username.value.trim())}`;
    const own = new Set(data.keys());
    for (const [name, value] of new URLSearchParams(ofPath(path)?.query)) {
      if (!own.has(name)) data.append(name, value);
    }
  });

  // An address that says nothing, such as a bookmark, takes nothing off; a page that is changed in place does.
  const saysNothing = (query) => [...query.keys()].every((name) => name === "title");
  const before = ofPath(location.pathname)?.query;
  if (saysNothing(asked()) && !saysNothing(new URLSearchParams(before))) left = before;
  if (left) document.body.dataset.left = `${location.pathname}?${left}`;
  document.addEventListener("hakken:shown", () => { left = ""; });
  addEventListener("pagehide", keep);
  keep();
  offer();
}
