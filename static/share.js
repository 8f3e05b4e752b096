// Shows the picture of a page before it is shared, and shares it. Without it the pictures are links.
"use strict";

{
  const say = (sheet, text) => { sheet.querySelector("[data-said]").textContent = text; };

  /** What to share: the page, whatever was changed on it since it came. */
  const linkOf = (sheet) => new URL(sheet.dataset.link ?? location.href).href;

  async function fetchFile(sheet) {
    const answer = await fetch(sheet.querySelector("[data-picture]").href);
    if (!answer.ok) throw new Error(answer.statusText);
    return new File([await answer.blob()], "hakken.png", { type: "image/png" });
  }

  async function copyLink(sheet) {
    const link = linkOf(sheet);
    try {
      await navigator.clipboard.writeText(link);
      say(sheet, WORDS.copied);
    } catch {
      say(sheet, WORDS.copyThis.replace("{}", link));
    }
  }

  async function send(sheet, file) {
    const page = { title: document.title, text: sheet.dataset.told, url: linkOf(sheet) };
    const withFile = { ...page, files: [file] };
    try {
      await navigator.share(file && navigator.canShare?.(withFile) ? withFile : page);
    } catch (error) {
      if (error.name !== "AbortError") await copyLink(sheet); // changing one's mind is no trouble
    }
  }

  function addWay(sheet, label, act) {
    const button = document.createElement("button");
    button.className = "go";
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    sheet.querySelector("[data-ways]").append(button);
  }

  function show(sheet) {
    const shown = sheet.querySelector("[data-shown]");
    if (shown.hasChildNodes()) return;
    let file = null;
    // Fetched now, as sharing has to follow a press at once.
    fetchFile(sheet).then((found) => {
      file = found;
      sheet.dataset.share = "ready";
    }, () => {});
    const picture = new Image(1200, 630);
    picture.alt = sheet.dataset.told;
    picture.addEventListener("error", () => picture.remove());
    picture.src = sheet.querySelector("[data-picture]").href;
    shown.append(picture);
    if (navigator.share) addWay(sheet, WORDS.share, () => send(sheet, file));
    addWay(sheet, WORDS.copy, () => copyLink(sheet));
  }

  // The event of a popover does not bubble, but it can be caught on its way down.
  document.addEventListener("toggle", ({ target, newState }) => {
    if (newState === "open" && target.matches?.("[data-share]")) show(target);
  }, { capture: true });
}
