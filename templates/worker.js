// Keeps what pages are made of, and one page for when there is no connection. Never a list, never a result.
"use strict";

const CACHE = `hakken-${VERSION}`;
const OFFLINE = {{ url_for("site.show_offline")|tojson }};
const FILES = [{% for name in names %}{{ asset(name)|tojson }}{{ ", " if not loop.last }}{% endfor %}];

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll([...FILES, OFFLINE]);
  await skipWaiting();
}

/** Files of an earlier release have other addresses, and go with their cache. */
async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith("hakken-") && name !== CACHE) await caches.delete(name);
  }
  await clients.claim();
}

async function answerFile(request) {
  return (await caches.match(request)) ?? fetch(request);
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  else if (FILES.includes(pathname + search)) event.respondWith(answerFile(request));
});
