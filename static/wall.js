// Counts what was tapped; a second tap takes it back. Without it, the button sends what is marked.
"use strict";

{
  for (const wall of document.querySelectorAll("[data-wall]")) {
    const told = wall.querySelector("[data-tapped]");
    const first = told.textContent;
    const ENOUGH = 10;
    let marked = null;

    const tell = () => {
      const count = wall.querySelectorAll("input:checked").length;
      const more = count < ENOUGH ? ` ${ENOUGH - count} more make the picks yours.` : "";
      told.textContent = count ? `${count} tapped.${more}` : first;
    };
    // Whether a radio was marked is known before the tap only.
    wall.addEventListener("pointerdown", ({ target }) => {
      const radio = target.closest("input") ?? target.closest("label")?.control;
      marked = radio?.checked ? radio : null;
    });
    wall.addEventListener("click", ({ target }) => {
      if (target !== marked || !target.matches("input")) return;
      target.checked = false;
      marked = null;
      tell();
    });
    wall.addEventListener("change", tell);
    addEventListener("pageshow", tell);
  }
}
