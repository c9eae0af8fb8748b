// Starts the client, and its service worker.
import start from "{{rondo.js}}";
import * as platform from "{{platform.js}}";

globalThis.rondo = platform;

const theme = localStorage.getItem("rondo.theme");
if (theme) document.documentElement.dataset.theme = theme;

// Said by the client's panic hook, or when the module cannot be loaded at all. What is not sent yet is in storage.
globalThis.rondoBroken = (reason) => {
  if (document.getElementById("broken")) return;
  console.error(reason);
  const german = (localStorage.getItem("rondo.language") || navigator.language).startsWith("de");
  const box = document.createElement("div");
  box.id = "broken";
  box.setAttribute("role", "alertdialog");
  box.setAttribute("aria-labelledby", "broken-text");
  const text = document.createElement("p");
  text.id = "broken-text";
  text.textContent = german
    ? "Etwas ist schiefgegangen. Deine Änderungen sind gespeichert."
    : "Something went wrong. Your changes are kept.";
  const button = document.createElement("button");
  button.textContent = german ? "Neu laden" : "Reload";
  button.onclick = () => location.reload();
  box.append(text, button);
  document.body.append(box);
  button.focus();
};

// Other places than these begin in the second module.
const isFirst = /^(#\/(today|inbox)?)?(\?add)?$/.test(location.hash);
const begun = isFirst ? Promise.resolve() : platform.fetchLater().catch(() => {});

begun.then(() => start({ module_or_path: "{{rondo.wasm}}" })).then(({ enterLater }) => {
  const more = () => platform.fetchLater().then(enterLater, () => {});
  // After the first paint, which a hidden page has none of.
  if (document.hidden) more();
  else requestAnimationFrame(() => setTimeout(more));
}).catch(globalThis.rondoBroken);

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/worker.js").then((registration) => {
    registration?.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker.addEventListener("statechange", () => {
        if (worker.state === "installed" && navigator.serviceWorker.controller) {
          dispatchEvent(new Event("rondo-update"));
        }
      });
    });
  }, () => {});
}
