// What a search in a log found: a list above the log, or the lines that match instead of it.
import { HomelabError } from "../../../base/errors.ts";
import { lineHtml } from "../../log/line-html.ts";
import { searchLog, type SearchResult } from "../../log/search-log.ts";
import { plainLine } from "../../log/sgr.ts";
import { withParameters } from "../../page/addresses.ts";
import { html, type Html } from "../../page/html.ts";
import { section, type Section } from "../../page/page.ts";
import { icon, nothing } from "../../page/parts.ts";
import type { ShownLog } from "./log-rows.ts";
import type { PageContext } from "../page-context.ts";

/** Hits that are shown at once. */
const most = { listed: 200, filtered: 1000 } as const;
/** Characters of a listed hit. */
const longestHit = 400;

export interface Found {
  readonly query: string;
  /** How many hits stand before those that are shown. */
  readonly first: number;
  readonly atOnce: number;
  readonly result: SearchResult | { readonly refused: HomelabError };
}

export async function searchIn(
  { logs, url, searches }: PageContext,
  { name }: ShownLog,
  query: string,
  isFiltered: boolean,
  signal: AbortSignal,
): Promise<Found> {
  const first = Number(/^\d{1,9}$/.exec(url.searchParams.get("hit") ?? "")?.[0] ?? 0);
  const atOnce = isFiltered ? most.filtered : most.listed;
  try {
    const result = await searches.run(async () =>
      searchLog({ query, first, most: atOnce }, logs.pieces(name, signal), signal),
    );
    return { query, first, atOnce, result };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError)) throw error;
    return { query, first, atOnce, result: { refused: error } };
  }
}

export function hitSection({ path }: ShownLog, url: URL, found: Found): Section {
  const { result } = found;
  if ("refused" in result) return section("hits", refusal(result.refused));
  if (result.count === 0) return section("hits", noHit(path));
  return section(
    "hits",
    html`<details class="hits" id="hits" open><summary>${countText(found, result)}</summary>
<ol>${result.hits.map(
      (hit, index) =>
        html`<li><a data-hit="${hit.number}" href="${contextOf(path, hit.number, found, index)}"><span class="n">${hit.number}</span><span class="text">${plainLine(hit.line).slice(0, longestHit)}</span></a></li>`,
    )}</ol>
${pageLinks(url, found, result)}</details>`,
  );
}

/** Only the lines that match, with their numbers; each leads to where it stands. */
export function filteredSection({ path }: ShownLog, url: URL, found: Found): Section {
  const { result } = found;
  if ("refused" in result) return section("lines", refusal(result.refused));
  if (result.count === 0) return section("lines", noHit(path));
  return section(
    "lines",
    html`<p class="lead">${countText(found, result)}</p>
<div class="log" role="region" aria-label="Lines that match" tabindex="0">${result.hits.map(
      (hit, index) =>
        html`<div class="l"><a class="n" data-hit="${hit.number}" href="${contextOf(path, hit.number, found, index)}" aria-label="Line ${hit.number} in the log">${hit.number}</a><span class="t">${lineHtml(hit.line)}</span></div>`,
    )}</div>${pageLinks(url, found, result)}`,
  );
}

/** The line in its log, with the part of the list that has it. */
function contextOf(path: string, line: number, { query, first }: Found, index: number): string {
  const hit = first + Math.floor(index / most.listed) * most.listed;
  return `${path}?line=${line}&q=${encodeURIComponent(query)}&hit=${hit}#L${line}`;
}

const countText = ({ first }: Found, { count, hits }: SearchResult): Html =>
  html`<b data-hits="${count}">${count.toLocaleString("en")}</b> ${count === 1 ? "line matches" : "lines match"}${hits.length < count && `, shown are ${(first + 1).toLocaleString("en")} to ${(first + hits.length).toLocaleString("en")}`}`;

const pageLinks = (url: URL, { first, atOnce }: Found, { count, hits }: SearchResult): Html =>
  html`<nav class="pages" aria-label="Pages of hits">${first > 0 && html`<a href="${withParameters(url, { hit: String(Math.max(0, first - atOnce)) })}">Earlier hits</a>`} ${first + hits.length < count && html`<a href="${withParameters(url, { hit: String(first + atOnce) })}">Later hits</a>`}</nav>`;

const refusal = ({ message, hint = "" }: HomelabError): Html =>
  html`<div class="card warn"><p>${icon("warn")} ${message}</p><p class="dim">${hint}</p></div>`;

const noHit = (path: string): Html =>
  nothing("No line has that", html`<p><a href="${path}">Show the log</a></p>`);
