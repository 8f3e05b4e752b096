// Searches while you type. Without it, the search button does the same.
"use strict";

// In a block, because all scripts of a page share their names.
{
  const form = document.querySelector("[data-search]");
  const status = document.querySelector("[data-search-status]");
  const PAUSE = 200;
  let waiting = 0;
  let latest = 0;

  function counted(found) {
    const count = found.querySelectorAll("li").length;
    if (!form.elements.q.value.trim()) return "";
    return count === 1 ? "1 anime found" : `${count} anime found`;
  }

  async function search() {
    const mine = ++latest;
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    const answer = await fetch(address);
    if (!answer.ok || mine !== latest) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("[data-found]");
    if (!found || mine !== latest) return;
    document.querySelector("[data-found]").replaceWith(document.adoptNode(found));
    status.textContent = counted(found);
    history.replaceState(null, "", address);
  }

  form.elements.q.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => search().catch(() => {}), PAUSE);
  });
}
