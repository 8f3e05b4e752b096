// The theme, the keys and what else is chosen on this device. Without it pages are as the device likes them.
"use strict";

{
  const root = document.documentElement;
  const dialog = document.getElementById("settings");
  const { theme, keys } = dialog.querySelector(".fields").elements;
  const bars = [...document.querySelectorAll("meta[name=theme-color]")].map((bar) => [bar, bar.content]);

  function showTheme() {
    const chosen = stored("hakken.theme");
    theme.value = chosen ?? "auto";
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
  });

  keys.checked = stored("hakken.keys") !== "off";
  showTheme();
}
