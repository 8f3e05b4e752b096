// Single keys: / searches, j and k go from card to card, ? lists them. They can be switched off in that list.
"use strict";

{
  const dialog = document.getElementById("settings");
  const TYPED = "input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]";

  function search() {
    const field = document.getElementById("q");
    if (field) field.select();
    else document.querySelector("[data-search-page]").click();
  }

  /** To the next card or the one before; from elsewhere to the first one on the screen. */
  function step(by) {
    const cards = [...document.querySelectorAll("main .card")].filter((card) => card.checkVisibility());
    const at = cards.indexOf(document.activeElement.closest(".card"));
    const first = cards.findIndex((card) => card.getBoundingClientRect().bottom > 0);
    cards[at < 0 ? first : at + by]?.querySelector("h2 a, h3 a, input")?.focus();
  }

  const DONE = { "/": search, j: () => step(1), k: () => step(-1), "?": () => dialog.showModal() };

  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open], :popover-open:not(.toast)")) return;
    if (target.closest?.(TYPED)) return key === "Escape" ? target.blur() : undefined;
    if (!Object.hasOwn(DONE, key) || stored("hakken.keys") === "off") return;
    event.preventDefault();
    DONE[key]();
  });
}
