// News, times, keys. All markup comes from the server; this puts it where it belongs, and keeps focus, scroll and what is
// open. Without it every page still reads.
import { agoText, spanText } from "./times.js";

const { body } = document;
export const $ = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];
for (const node of all("#theme, .keys, [data-copy], .switches")) node.hidden = false;

// Times.
function tickTimes() {
  for (const node of all("time[data-ago], time[data-for]")) {
    const at = Date.parse(node.dateTime);
    const seconds = (Date.now() - at) / 1000;
    const text = node.dataset.for ? `${spanText(seconds)} so far` : agoText(seconds);
    if (node.textContent !== text) node.textContent = text;
    if (!node.title)
      node.title = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

// How true the page is.
let lastNews = Date.now();
let isOpen = false;
const staleAfter = 30;
function tickAge() {
  const node = $(".freshness");
  const { live, since } = node.dataset;
  const silent = (Date.now() - lastNews) / 1000;
  const stale = live !== "yes" || silent >= staleAfter;
  const at = new Date(live === "yes" ? lastNews : since).toLocaleTimeString([], { timeStyle: "short" });
  const text = stale
    ? `stale since ${at}, reconnecting`
    : isOpen || silent < 5
      ? "live"
      : `${spanText(silent)} old`;
  node.classList.toggle("stale", stale);
  body.classList.toggle("is-stale", stale);
  const said = $(".said", node);
  if (said.textContent !== text) said.textContent = text;
}

// Changes.
const focusable = "a,button,input,select,summary,[tabindex]";
const keyed = (key) => $(`[data-key="${CSS.escape(key)}"]`);
function put({ key, html, at: [side, beside] = [] }) {
  const old = keyed(key);
  const place = beside && keyed(beside);
  if (!old && !place) return;
  const active = document.activeElement;
  const had = old?.contains(active) ? active : null;
  const around = had?.closest("[data-key]");
  const focus = had && {
    id: had.id,
    key: around.dataset.key,
    index: all(focusable, around).indexOf(had),
    value: had.value,
  };
  const open = new Map((old ? all("details[id]", old) : []).map((node) => [node.id, node.open]));
  if (place) {
    old?.remove();
    place.insertAdjacentHTML(side, html);
  } else if (key === "main") old.innerHTML = html;
  else old.outerHTML = html;
  const fresh = keyed(key);
  if (!fresh) return;
  for (const [id, isOpened] of open) {
    const node = document.getElementById(id);
    if (node) node.open = isOpened;
  }
  for (const node of all("[data-copy], .switches", fresh)) node.hidden = false;
  if (focus) {
    const there = keyed(focus.key) ?? fresh;
    const next =
      (focus.id && document.getElementById(focus.id)) ||
      (focus.index < 0 ? there : all(focusable, there)[focus.index]);
    if (next) {
      if (focus.value !== undefined && "value" in next) next.value = focus.value;
      next.focus({ preventScroll: true });
    }
  }
}
function retitle() {
  const head = $(".headline");
  const title = `${head.dataset.title} · homelab-deploy`;
  if (document.title === title) return;
  document.title = title;
  const icon = $("link");
  icon.href = icon.href.replace(/\w+\.svg/, `${head.dataset.tone}.svg`);
  say(head.dataset.title);
}
// At most one announcement in five seconds, always the newest.
let saidAt = 0;
let saying;
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(
    () => {
      saidAt = Date.now();
      $("#announce").textContent = text;
    },
    Math.max(0, saidAt + 5000 - Date.now()),
  );
}

// The stream.
let source;
let mark = $("#main").dataset.mark;
function connect() {
  source?.close();
  const page = body.dataset.page;
  source = new EventSource(`/events?page=${encodeURIComponent(page)}&mark=${encodeURIComponent(mark)}`);
  source.addEventListener("open", () => {
    isOpen = true;
    lastNews = Date.now();
  });
  source.addEventListener("news", (event) => {
    lastNews = Date.now();
    mark = event.lastEventId;
    for (const change of JSON.parse(event.data)) put(change);
    $("#main").dataset.mark = mark;
    retitle();
    tickTimes();
    tickAge();
    dispatchEvent(new CustomEvent("news"));
  });
  source.addEventListener("error", () => {
    isOpen = false;
    if (source.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || connect(), 3000);
  });
}
let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => source?.close(), 60_000);
  else if (source?.readyState !== EventSource.OPEN) connect();
});
connect();
tickTimes();
tickAge();
setInterval(() => {
  if (document.hidden) return;
  tickTimes();
  tickAge();
  // A connection can be dead without an error.
  if ((Date.now() - lastNews) / 1000 > 45) {
    lastNews = Date.now() - staleAfter * 1000;
    connect();
  }
}, 1000);

// Copy.
document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-copy]") : null;
  if (button) void copy(button);
});
async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Failed";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
// The theme: the system's, then the other one.
$("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // It holds for this page.
  }
});
// Choices of a filter act at once.
document.addEventListener("change", ({ target }) => {
  if (target instanceof HTMLSelectElement) target.form?.requestSubmit();
});
addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of Array.from(formData)) if (value === "") formData.delete(name);
});

// Keys.
let after;
function move(selector, step) {
  const nodes = all(selector);
  const at = nodes.indexOf(document.activeElement);
  const next = nodes[at + step] ?? (at < 0 && nodes.at(-1));
  if (!next) return;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target instanceof Element && target.closest("input, select, textarea")) {
    if (key === "Escape") target.blur();
    return;
  }
  if ($("#help").open) return;
  const place = after === "g" && all("nav a").find(({ dataset }) => dataset.go === key);
  after = undefined;
  if (place) place.click();
  else if (key === "g") after = "g";
  else if (key === "?") $("#help").showModal();
  else if (key === "/") $("#search")?.focus();
  else if (key === "j" || key === "k") move("main a.name, [data-hit]", key === "j" ? 1 : -1);
  else if (key === "]" || key === "[") move("[data-failure], .l.error", key === "]" ? 1 : -1);
  else return;
  event.preventDefault();
});
