// Orders, filters, marks and further titles change the page where it is. Without it they load the page anew.
"use strict";

// In a block, because all scripts of a page share their names.
{
  const main = document.getElementById("main");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const pages = new Map(); // what was shown before, for the back button
  const KEPT_PAGES = 20;
  let latest = 0;
  let current; // the state of what is shown
  let lastPlace = {}; // where the latest change was made
  let busyWith = null; // the control of the change that is under way
  const waiting = []; // what was pressed meanwhile

  const toast = document.createElement("div");
  toast.className = "toast";
  toast.setAttribute("role", "status");
  toast.popover = "manual"; // only what was wrong has to come over the open filters
  document.body.append(toast);

  function say(text, seen) {
    toast.replaceChildren(text);
    toast.classList.toggle("seen", seen);
    toast.hidePopover();
  }

  function sayWrong(text) {
    say(text, true);
    toast.showPopover();
  }

  main.addEventListener("input", () => toast.matches(":popover-open") && say("", false)); // it is about to be put right

  function sayDone(text, undo) {
    say(text, undo);
    if (!undo) return;
    const button = document.createElement("button");
    button.className = "choice";
    button.textContent = WORDS.undo;
    button.addEventListener("click", () => {
      toast.classList.remove("seen");
      history.back();
    });
    toast.append(" ", button);
  }

  // What is remembered of a list, where its page came without it (lists.js).
  const { left } = document.body.dataset;
  if (left) {
    say(WORDS.left, true);
    toast.append(" ", Object.assign(document.createElement("a"), { className: "choice", href: left, textContent: WORDS.asLeft }));
  }

  /** What stands on a page, whether it came in one part or in two, or what it says was wrong; nothing if it is no page of picks in the same language. */
  function contentOf(text) {
    const read = new DOMParser().parseFromString(text, "text/html");
    const content = read.querySelector(".arrived") ?? read.getElementById("main");
    const problem = read.getElementById("problem")?.textContent;
    const isLikeThis = content?.querySelector(".controls") && read.documentElement.lang === document.documentElement.lang;
    if (problem || !isLikeThis) return { problem };
    return { title: content.dataset.title ?? read.title, nodes: [...content.childNodes] };
  }

  function nameCards(named) {
    const names = new Set();
    for (const card of document.querySelectorAll(".card[data-anime]")) {
      const { top, bottom } = card.getBoundingClientRect();
      const near = named && bottom > -200 && top < innerHeight + 200 && !names.has(card.dataset.anime);
      card.style.viewTransitionName = near ? `anime-${card.dataset.anime}` : "";
      if (near) names.add(card.dataset.anime);
    }
  }

  function swap({ title, nodes }) {
    main.classList.remove("streamed");
    main.replaceChildren(...nodes.map((node) => document.adoptNode(node)));
    document.title = title;
    document.dispatchEvent(new Event("hakken:shown"));
  }

  async function show(content) {
    if (calm.matches || !document.startViewTransition) return swap(content);
    nameCards(true);
    const transition = document.startViewTransition(() => {
      swap(content);
      nameCards(true);
    });
    transition.ready.catch(() => {}); // another change came before this one was shown
    transition.finished.catch(() => {}).finally(() => nameCards(false));
    await transition.updateCallbackDone;
  }

  /** Where the focus goes: to the same control, else to the card that is now in its place. */
  function focusAgain(place) {
    const controls = [...main.querySelectorAll("a.choice, button.choice")];
    const same = controls.find((control) => control.textContent.trim() === place.label);
    const card = document.getElementById(place.card);
    (card?.querySelector("h2 a") ?? same ?? main).focus({ preventScroll: true });
  }

  function placeOf(control, hash) {
    const card = control.closest(".card")?.id || (hash.startsWith("#rank-") ? hash.slice(1) : "");
    return { label: control.textContent.trim(), card };
  }

  /** Keeps what is shown for the back button: in "pushState" a new entry of the history, in "replaceState" the current one. */
  function remember(how, text, address) {
    const page = Date.now() + Math.random();
    pages.set(page, text);
    if (pages.size > KEPT_PAGES) pages.delete(pages.keys().next().value);
    const form = document.getElementById("again");
    current = { page };
    if (form?.method !== "post") return history[how](current, "", address);
    // The server keeps no upload, so that only this tab can ask for its picks again (reupload.js).
    const posted = { list: form.elements.list.value, choice: form.dataset.choice };
    try {
      history[how]({ page, posted }, "", address);
      current = { page, posted };
    } catch {
      history[how](current, "", address); // it is longer than a browser keeps
    }
  }

  /** The other languages at the foot are those of the page that is shown; an upload has no address for them. */
  function linkLanguages() {
    if (current.posted) return;
    for (const link of document.querySelectorAll(".foot a[hreflang]")) {
      const url = new URL(location);
      url.searchParams.set("lang", link.hreflang);
      link.href = url;
    }
  }

  /** A control of a page, known again on the next one: what it says, and of which anime. */
  const nameOf = (control) => `${control.closest("[data-anime]")?.dataset.anime} ${control.textContent.trim()}`;
  const fieldsIn = (box) => [...box?.querySelectorAll("input, select") ?? []];
  const keyOf = ({ name, type, value }) => (type === "checkbox" ? `${name}=${value}` : name);
  /** What is sent with a control; one that is hidden stands for "Enter" in the filters. */
  const boxOf = (control) => (control.hidden ? document.getElementById("filters") : control.closest(".mine, #filters"));

  /** Leaves a control for when the change under way is shown, whose page it then adds to. */
  function putOff(control) {
    const name = nameOf(control);
    if ([nameOf(busyWith), ...waiting.map((pressed) => pressed.name)].includes(name)) return; // a double press
    waiting.push({ name, fields: fieldsIn(boxOf(control)) });
  }

  /** Presses what was put off where it now is, with what was filled in beside it; it may be gone with its card. */
  function goOn() {
    const pressed = waiting.shift();
    if (!pressed) return;
    const control = [...main.querySelectorAll("a.choice, button")].find((each) => nameOf(each) === pressed.name);
    if (!control) return goOn();
    const filled = new Map(pressed.fields.map((field) => [keyOf(field), field]));
    for (const field of fieldsIn(boxOf(control))) {
      const { value, checked } = filled.get(keyOf(field)) ?? field;
      Object.assign(field, field.type === "checkbox" ? { checked } : { value });
    }
    control.click();
  }

  async function change(request, control, hash, fallback) {
    const mine = ++latest;
    busyWith = control;
    const place = lastPlace = placeOf(control, hash);
    const title = control.closest(".card")?.querySelector("h2")?.textContent.trim();
    const { scrollX, scrollY } = window;
    const leave = () => {
      waiting.length = 0;
      fallback();
    };
    main.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(request);
      const text = await answer.text();
      if (mine !== latest) return;
      const content = contentOf(text);
      if (content.problem) return sayWrong(content.problem); // and what was filled in is still there to be changed
      if (!content.nodes) return leave();
      await show(content);
      remember("pushState", text, request.method === "GET" ? answer.url : undefined);
      linkLanguages();
      scrollTo(scrollX, scrollY);
      focusAgain(place);
      const said = control.matches("[data-hides]") ? "hidden" : "saved";
      if (title && !control.matches(".chip")) sayDone(WORDS[said].replace("{}", title), true);
      else sayDone(WORDS.changed, Boolean(title));
    } catch {
      if (mine === latest) leave();
    } finally {
      if (mine === latest) {
        main.removeAttribute("aria-busy");
        busyWith = null;
        goOn();
      }
    }
  }

  main.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    const here = url.origin === location.origin && url.pathname === location.pathname;
    if (!here || link.hasAttribute("download") || url.searchParams.has("format") || url.search === location.search) return;
    event.preventDefault();
    if (busyWith) return putOff(link);
    change(new Request(url), link, url.hash, () => location.assign(url));
  });

  let asUsual = false; // a form is sent as without this script

  main.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (form.id !== "again" || asUsual) return;
    const seen = submitter?.name ? null : submitter?.closest(".mine")?.querySelector("select");
    if (seen && !seen.value) {
      event.preventDefault(); // there is nothing to save yet
      return seen.focus();
    }
    const data = new FormData(form, submitter);
    if (String(data.get("choice") ?? "").includes("format=")) return;
    event.preventDefault();
    if (busyWith && submitter) return putOff(submitter);
    const posts = form.method === "post";
    const url = new URL(form.action);
    if (!posts) url.search = new URLSearchParams([...data].filter(([, value]) => value !== ""));
    const request = posts ? new Request(url, { method: "POST", body: data }) : new Request(url);
    change(request, submitter ?? form, "", () => {
      if (!posts) return location.assign(url);
      asUsual = true;
      form.requestSubmit(submitter); // with what its button says
      asUsual = false;
    });
  });

  remember("replaceState", document.documentElement.outerHTML);
  addEventListener("popstate", async ({ state }) => {
    if (!state && location.hash) return history.replaceState(current, ""); // a jump within the page
    if (state && state.page === current.page) return; // and one back
    const text = pages.get(state?.page);
    const content = text && contentOf(text);
    if (!content?.nodes) return location.reload();
    ++latest; // what was under way is no longer waited for
    busyWith = null;
    waiting.length = 0;
    main.removeAttribute("aria-busy");
    current = state;
    linkLanguages();
    const hadFocus = document.activeElement !== document.body;
    await show(content);
    sayDone(WORDS.before, false);
    if (hadFocus && document.activeElement === document.body) focusAgain(lastPlace);
  });
}
