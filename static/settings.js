// The theme, the keys and what else is chosen on this device. Without it pages are as the device likes them.
"use strict";

{
  const root = document.documentElement;
  const dialog = document.getElementById("settings");
  const keys = document.getElementById("keys");
  const bars = [...document.querySelectorAll("meta[name=theme-color]")].map((bar) => [bar, bar.content]);

  function showTheme() {
    const chosen = stored("hakken.theme");
    (document.getElementById(`theme-${chosen}`) ?? document.getElementById("theme-auto")).checked = true;
    if (chosen) root.dataset.theme = chosen;
    else delete root.dataset.theme;
    for (const [bar, own] of bars) bar.content = chosen ? getComputedStyle(root).backgroundColor : own;
  }

  dialog.addEventListener("change", ({ target }) => {
    if (target.name === "theme") {
      stored("hakken.theme", target.value === "auto" ? null : target.value);
      showTheme();
    }
    if (target === keys) stored("hakken.keys", keys.checked ? null : "off");
  });

  addEventListener("click", ({ target }) => {
    if (target.closest?.("[data-settings]")) dialog.showModal();
    if (target.closest?.("[data-close]")) dialog.close();
  });

  /** Says which of grid and list is on; the list is laid out by the style alone. */
  function showView() {
    const view = root.dataset.view ?? (document.querySelector(".whole.list") ? "list" : "grid");
    for (const choice of document.querySelectorAll(".choice.view")) {
      if (choice.classList.contains(view)) choice.setAttribute("aria-current", "true");
      else choice.removeAttribute("aria-current");
    }
  }

  addEventListener("click", (event) => {
    const choice = event.target.closest?.(".choice.view");
    if (!choice || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    root.dataset.view = choice.classList.contains("list") ? "list" : "grid";
    stored("hakken.view", root.dataset.view);
    const address = new URL(location);
    address.searchParams.delete("view");
    history.replaceState(history.state, "", address);
    showView();
  }, { capture: true });

  showView();
  document.addEventListener("hakken:shown", showView);
  keys.checked = stored("hakken.keys") !== "off";
  showTheme();
}
