// What was chosen on this device, before anything is painted. Every page works without it.
"use strict";

{
  const root = document.documentElement;
  root.dataset.scripts = "";
  try {
    for (const name of ["theme", "view"]) {
      const chosen = localStorage.getItem(`hakken.${name}`);
      // What an address says about the view comes first.
      if (chosen && !location.search.includes(`${name}=`)) root.dataset[name] = chosen;
    }
    if (localStorage.getItem("hakken.lists")) root.dataset.lists = "";
  } catch { /* localStorage may be switched off; then nothing is remembered */ }
}
