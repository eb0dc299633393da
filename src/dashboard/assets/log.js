// A log as one reads it: windows come at both ends and go far away, lines that come are followed, and permalinks land.
import { $, all } from "./client.js";

const view = $("#lines");
const follow = $("#follow");
const wrap = $("#wrap");
const more = $("#new-lines");
const step = 1000;
const mostWindows = 4;
const about = () => $("[data-total]").dataset;
const totalNow = () => Number(about().total);
const numberOf = (line) => Number(line.id.slice(1));

// The number of the last line that is shown, and of the line before the first.
const shownTo = () => {
  const line = all(".l[id]", view).at(-1);
  return line ? numberOf(line) : Number(view.dataset.from);
};
const shownFrom = () => Number($(".window", view).dataset.from);

async function fetchWindow(from) {
  const response = await fetch(`${view.dataset.path}?from=${from}`);
  if (!response.ok) return undefined;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return $("#lines .window", page);
}
// One window at a time: whoever wants another waits for it first.
let loading;
function alone(load) {
  loading ??= load().finally(() => (loading = undefined));
  return loading;
}
const extend = (down) => alone(() => loadNext(down));
async function loadNext(down) {
  const from = down ? shownTo() : Math.max(0, shownFrom() - step);
  if (down ? from >= totalNow() : shownFrom() === 0) return;
  const made = await fetchWindow(from);
  if (!made) return;
  // The window before may overlap the first one.
  if (!down) for (const line of all(".l[id]", made)) if (numberOf(line) > shownFrom()) line.remove();
  const before = view.scrollHeight;
  if (down) view.append(document.importNode(made, true));
  else view.prepend(document.importNode(made, true));
  if (!down) view.scrollTop += view.scrollHeight - before;
  mark();
  while (view.children.length > mostWindows) {
    const gone = down ? view.firstElementChild : view.lastElementChild;
    const height = gone.offsetHeight;
    gone.remove();
    if (down) view.scrollTop -= height;
  }
}
// What lies between would only be loaded to be dropped again.
async function loadEnd() {
  const made = await fetchWindow(Math.floor((totalNow() - 1) / step) * step);
  if (!made) return;
  view.replaceChildren(document.importNode(made, true));
  mark();
}
// Lines that say that something went wrong, for `[` and `]`.
function mark() {
  for (const line of all(".l:not([data-seen])", view)) {
    line.dataset.seen = "1";
    if (/\b(?:error|failed|fatal|panic)\b/i.test(line.lastElementChild.textContent)) {
      line.classList.add("error");
      line.tabIndex = -1;
    }
  }
}

let isFollowing = false;
function setFollowing(on) {
  isFollowing = on;
  follow?.setAttribute("aria-pressed", String(on));
  if (on) void catchUp();
}
async function catchUp() {
  // Somebody else's load may have been waited for, and a server may not answer.
  for (let vain = 0; vain < 3;) {
    const before = shownTo();
    if (!isFollowing || before >= totalNow()) break;
    await (totalNow() - before > mostWindows * step ? alone(loadEnd) : extend(true));
    vain = shownTo() > before ? 0 : vain + 1;
  }
  if (isFollowing) toBottom();
  count();
}
// Where it was, for `scroll`, which comes later than another move.
let top = 0;
function toBottom() {
  view.scrollTop = view.scrollHeight;
  top = view.scrollTop;
}
function count() {
  const behind = totalNow() - shownTo();
  more.hidden = behind <= 0 || isFollowing || about().live !== "yes";
  if (!more.hidden)
    more.textContent = `${behind.toLocaleString("en")} new ${behind === 1 ? "line" : "lines"}`;
}

function land() {
  const { from, to } = /^#L(?<from>\d+)(?:-L(?<to>\d+))?$/.exec(location.hash)?.groups ?? {};
  for (const line of all(".l.here", view)) line.classList.remove("here");
  if (!from) return false;
  const first = $(`#L${from}`);
  if (!first) {
    const start = Math.floor((Number(from) - 1) / step) * step;
    const address = new URL(location.href);
    if (address.searchParams.get("from") === String(start)) return false;
    address.searchParams.set("from", String(start));
    address.searchParams.delete("line");
    location.replace(address.href);
    return true;
  }
  for (let line = Number(from); line <= Number(to ?? from) && line < Number(from) + 4000; line++) {
    $(`#L${line}`)?.classList.add("here");
  }
  first.scrollIntoView({ block: "center" });
  return true;
}

if (view) {
  mark();
  if (!land() && view.dataset.end) toBottom();
  addEventListener("hashchange", land);
  view.addEventListener("scroll", () => {
    const goesUp = view.scrollTop < top - 2;
    top = view.scrollTop;
    if (goesUp && isFollowing && view.scrollHeight - view.clientHeight - top > 40) setFollowing(false);
    if (view.scrollHeight - view.clientHeight - top < 1500) void extend(true);
    else if (top < 1500) void extend(false);
    count();
  });
  addEventListener("news", () => (isFollowing ? void catchUp() : count()));
  follow?.addEventListener("click", () => setFollowing(!isFollowing));
  more.addEventListener("click", () => setFollowing(true));
  wrap?.addEventListener("click", () => {
    wrap.setAttribute("aria-pressed", String(view.classList.toggle("wrapped")));
  });
  // A range: the second line with Shift.
  view.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.n");
    const { from } = /^#L(?<from>\d+)/.exec(location.hash)?.groups ?? {};
    if (!link || !event.shiftKey || !from) return;
    event.preventDefault();
    const [a, b] = [Number(from), Number(link.textContent)].toSorted((x, y) => x - y);
    location.hash = `L${a}-L${b}`;
  });
  // Text without numbers and colours.
  view.addEventListener("copy", (event) => {
    const range = getSelection().getRangeAt(0);
    const lines = all(".t", view).filter((line) => range.intersectsNode(line));
    if (lines.length < 2) return;
    event.clipboardData.setData("text/plain", lines.map((line) => line.textContent).join("\n"));
    event.preventDefault();
  });
  addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (ctrlKey || metaKey || altKey || target.closest?.("input, select")) return;
    if (key === "f") setFollowing(!isFollowing);
    else if (key === "w") wrap.click();
    else if (key === "G") void toEnd();
    else if (key === "n" || key === "N") hit(key === "n" ? 1 : -1);
  });
}
async function toEnd() {
  if (shownTo() < totalNow()) location.assign(`${view.dataset.path}#L${totalNow()}`);
  else toBottom();
}
function hit(by) {
  const hits = all("[data-hit]");
  const line = Number(/\d+/.exec(location.hash)?.[0] ?? 0);
  const isBehind = ({ dataset }) => (by > 0 ? Number(dataset.hit) > line : Number(dataset.hit) < line);
  (by > 0 ? hits.find(isBehind) : hits.findLast(isBehind))?.click();
}
