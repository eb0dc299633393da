// A log by windows of a thousand lines. A window is a page of its own, so that everything works without JavaScript; with it,
// windows are appended and dropped as one reads.
import type { LogWindow } from "../../log/log-library.ts";
import { withParameters } from "../../page/addresses.ts";
import { html, type Html } from "../../page/html.ts";
import { section, type Page, type Section } from "../../page/page.ts";
import { commands, icon, nothing } from "../../page/parts.ts";
import { filteredSection, hitSection, searchIn } from "./log-hits.ts";
import { lineRow, type ShownLog } from "./log-rows.ts";
import type { PageContext } from "../page-context.ts";

export const windowLength = 1000;

/** What is known about its lines. */
interface Extent {
  readonly total: number;
  readonly from: number;
  readonly failedAt: number | undefined;
}

export async function logView(context: PageContext, log: ShownLog, signal: AbortSignal): Promise<Page> {
  const { logs, url, isNews } = context;
  const failedAt = log.failure === undefined ? undefined : await logs.firstFailure(log.name, signal);
  const total = await logs.total(log.name, signal);
  const extent = { total, from: firstLine(url.searchParams, total, failedAt), failedAt };
  return {
    status: 200,
    title: `${log.failure === undefined ? "" : "✗ "}${log.title} · Log`,
    tone: log.failure !== undefined ? "bad" : log.isLive ? "busy" : "idle",
    place: log.place,
    script: "log.js",
    isLive: (key) => key === "head",
    sections: [
      headSection(log, extent),
      ...(isNews ? [] : await stillSections(context, log, extent, signal)),
    ],
  };
}

/** What news does not touch: whoever follows a log asks for its next lines. */
async function stillSections(
  context: PageContext,
  log: ShownLog,
  extent: Extent,
  signal: AbortSignal,
): Promise<readonly Section[]> {
  const { logs, url } = context;
  const query = url.searchParams.get("q") ?? "";
  const isFiltered = query !== "" && url.searchParams.has("only");
  const found = query === "" ? undefined : await searchIn(context, log, query, isFiltered, signal);
  const shown =
    found !== undefined && isFiltered
      ? [filteredSection(log, url, found)]
      : [
          ...(found === undefined ? [] : [hitSection(log, url, found)]),
          lineSection(log, extent, url, await logs.window(log.name, extent.from, windowLength, signal)),
        ];
  return [
    toolSection(log, url, extent, isFiltered),
    ...shown,
    section("commands", html`<h2>On the command line</h2>`, commands([log.command])),
  ];
}

/** `from` of the address; else a window around `line`; else around the first failure; else the end. */
function firstLine(parameters: URLSearchParams, total: number, failedAt: number | undefined): number {
  const number = (text: string | null): number | undefined =>
    text !== null && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  const last = Math.max(0, Math.floor((total - 1) / windowLength) * windowLength);
  const from = number(parameters.get("from"));
  if (from !== undefined) return Math.min(from, Math.max(0, total - 1));
  const line = number(parameters.get("line"));
  if (line !== undefined)
    return Math.min(last, Math.floor(Math.max(0, line - 1) / windowLength) * windowLength);
  // The end alone would often be a few lines.
  const end = Math.max(0, total - windowLength);
  return failedAt === undefined ? end : Math.min(end, Math.max(0, failedAt - windowLength / 2));
}

function headSection(log: ShownLog, { total, failedAt }: Extent): Section {
  const { title, crumbs, about, origin, isLive, failure, path } = log;
  return section(
    "head",
    html`<p class="crumbs">${crumbs}</p>
<h1 class="mono">${title}</h1>
<div class="about-log"><p class="lead" data-total="${total}" data-live="${isLive ? "yes" : "no"}">${failure !== undefined && html`${icon("bad")} ${failure} · `}<b>${total.toLocaleString("en")}</b> ${total === 1 ? "line" : "lines"}${isLive && " so far"}${failedAt !== undefined && html` · <a href="${path}?line=${failedAt}#L${failedAt}">first failure in line ${failedAt.toLocaleString("en")}</a>`}</p>
<span class="dim">${about}</span></div>
<p class="dim small">${origin}</p>`,
  );
}

function toolSection({ path }: ShownLog, url: URL, { from, total }: Extent, isFiltered: boolean): Section {
  const link = (text: string, to: number, isThere: boolean): Html =>
    isThere ? html`<a href="${path}?from=${to}">${text}</a>` : html`<span class="dim">${text}</span>`;
  const last = Math.max(0, total - windowLength);
  const q = url.searchParams.get("q") ?? "";
  const only = isFiltered
    ? html`<input type="checkbox" name="only" value="1" checked>`
    : html`<input type="checkbox" name="only" value="1">`;
  return section(
    "tools",
    html`<div class="tools">
<form method="get" action="${path}" role="search"><label><span class="unseen">Search this log</span><input type="search" name="q" id="search" value="${q}" placeholder="Search: text or /regex/" autocomplete="off" spellcheck="false"></label><label class="check">${only}<span>only matching lines</span></label><button>Search</button></form>
<form method="get" action="${path}" id="jump"><label><span>Line</span> <input name="line" inputmode="numeric" pattern="[0-9]*" size="8" autocomplete="off"></label><button>Go</button></form>
${
  isFiltered
    ? html`<nav aria-label="Parts of this log"><a href="${withParameters(url, { only: "", hit: "" })}">Show all lines</a></nav>`
    : html`<nav aria-label="Parts of this log">${link("First", 0, from > 0)} ${link("Previous", Math.max(0, from - windowLength), from > 0)}
<span class="number">${total === 0 ? "0" : `${(from + 1).toLocaleString("en")}–${Math.min(total, from + windowLength).toLocaleString("en")}`}</span>
${link("Next", from + windowLength, from + windowLength < total)} ${link("Last", last, from < last)}</nav>`
}
<span class="links"><a href="${path}/raw">Raw</a><a href="${path}/download">Download</a></span>
${!isFiltered && html`<span class="switches" hidden><button type="button" id="follow" aria-pressed="false">Follow</button><button type="button" id="wrap" aria-pressed="false">Wrap</button></span>`}</div>`,
  );
}

function lineSection(
  log: ShownLog,
  { from, failedAt }: Extent,
  url: URL,
  { lines, total }: LogWindow,
): Section {
  if (total === 0) {
    return section("lines", nothing(log.isLive ? "Nothing was printed yet" : "This log is empty"));
  }
  const opensByItself = url.search === "";
  const opensAt = opensByItself ? failedAt : undefined;
  return section(
    "lines",
    html`<div class="log" id="lines" role="region" aria-label="Lines of the log" tabindex="0" data-from="${from}" data-path="${log.path}" data-end="${opensByItself && failedAt === undefined && "yes"}"><div class="window" data-from="${from}">${lines.map((line) => lineRow(line, log.path, failedAt, opensAt))}</div></div>
<button type="button" id="new-lines" hidden>new lines</button>`,
  );
}
