// The service worker: keeps the files of this version, so that the page opens without a network. Data is the
// page's own business: requests to the API are not touched.
const CACHE = "rondo-{{version}}";
const ZONES = "rondo-zones";
const FILES = [{{all}}];
const FIXED = new Set(FILES.filter((path) => path.startsWith("/assets/") || path === "/manifest.webmanifest"));

addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE)
      // Past the browser's own cache, which could have the page of a version before.
      .then((cache) => cache.addAll(FILES.map((path) => new Request(path, { cache: "no-cache" }))))
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE && name !== ZONES).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

async function kept(path, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}

// A zone's data as last seen, and the newest for the next time.
async function zone(request) {
  const cache = await caches.open(ZONES);
  const known = await cache.match(request);
  const fresh = fetch(request).then((response) => {
    if (response.ok) cache.put(request, response.clone());
    return response;
  });
  if (!known) return fresh;
  fresh.catch(() => {});
  return known;
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname === "/" && request.mode === "navigate") event.respondWith(kept("/", request));
  else if (FIXED.has(url.pathname)) event.respondWith(kept(url.pathname, request));
  else if (url.pathname.startsWith("/zones/")) event.respondWith(zone(request));
});
