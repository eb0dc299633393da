// Small pieces that many pages have: icons, states, times, commands to copy.
import { formatDuration } from "../../words/duration.ts";
import { html, type Html, type HtmlValue } from "./html.ts";
import type { Tone } from "./page.ts";

/** Drawn, because a font may lack the signs. The word beside it says the same. */
const shapes: Readonly<Record<Tone, Html>> = {
  good: html`<path d="M3.5 8.5l3 3 6-7" />`,
  busy: html`<path d="M5.5 3.5l6 4.5-6 4.5z" />`,
  warn: html`<path d="M8 2.5l6 11H2z" /><path d="M8 6.5v3.2M8 11.6v.2" />`,
  bad: html`<path d="M4 4l8 8M12 4l-8 8" />`,
  idle: html`<circle cx="8" cy="8" r="4.5" />`,
};

export const icon = (tone: Tone): Html =>
  html`<svg class="icon ${tone}" viewBox="0 0 16 16" aria-hidden="true">${shapes[tone]}</svg>`;

/** A state: its icon, its colour and always its word. */
export const state = (tone: Tone, word: HtmlValue): Html =>
  html`<span class="state ${tone}">${icon(tone)}<span>${word}</span></span>`;

/** `2026-11-29 13:07 UTC`; the browser makes it relative, and its own zone of it. */
export function moment(time: string | undefined): Html | undefined {
  if (time === undefined || Number.isNaN(Date.parse(time))) return undefined;
  const iso = new Date(time).toISOString();
  return html`<time datetime="${iso}" data-ago="1">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`;
}

/** How long something lasts: the browser counts. Without it, since when. */
export function since(time: string | undefined): Html | undefined {
  if (time === undefined || Number.isNaN(Date.parse(time))) return undefined;
  const iso = new Date(time).toISOString();
  return html`<time datetime="${iso}" data-for="1">since ${iso.slice(11, 19)} UTC</time>`;
}

export const duration = (milliseconds: number | undefined): Html | undefined =>
  milliseconds === undefined ? undefined : html`<span class="number">${formatDuration(milliseconds)}</span>`;

export const commit = (hash: string | undefined): Html | undefined =>
  hash === undefined ? undefined : html`<code title="${hash}">${hash.slice(0, 7)}</code>`;

/** A fact with its name, in a `dl`; nothing where it is not known. */
export const fact = (title: string, value: HtmlValue): Html | undefined =>
  value === undefined || value === "" ? undefined : html`<div><dt>${title}</dt><dd>${value}</dd></div>`;

/** What to do, as a command: pages do nothing themselves. */
export const command = (does: string, text: string): Html =>
  html`<div class="command">
    <span class="does">${does}</span><code>${text}</code>
    <button type="button" class="copy" data-copy="${text}" hidden>Copy</button>
  </div>`;

export const commands = (list: readonly (readonly [does: string, text: string])[]): Html =>
  html`<div class="commands">${list.map(([does, text]) => command(does, text))}</div>`;

/** A state in which there is nothing to show: why, and what to do. */
export const nothing = (title: string, ...advice: readonly HtmlValue[]): Html =>
  html`<div class="nothing"><p class="nothing-title">${title}</p>${advice}</div>`;

/** As wide as the share; its meaning is next to it. */
export function bar(share: number, tone: Tone = "busy"): Html {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return html`<svg class="bar ${tone}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="100" height="8" rx="2" /><rect class="part" width="${width}" height="8" rx="2" /></svg>`;
}

export interface Column {
  readonly title: string;
  readonly className?: string;
  /** Where a click on the title leads; sorted rows say so. */
  readonly sort?: { readonly href: string; readonly by: "ascending" | "descending" | "none" };
}

export interface Cell {
  readonly content: HtmlValue;
  readonly className?: string;
}

/** The beginning of a table; rows follow, and `tableEnd`. */
export const tableStart = (caption: string, columns: readonly Column[], tableClass = ""): Html =>
  html`<div class="table ${tableClass}"><table><caption>${caption}</caption><thead><tr>${columns.map(
    ({ title, className = "", sort }) =>
      sort === undefined
        ? html`<th scope="col" class="${className}">${title}</th>`
        : html`<th scope="col" class="${className}" aria-sort="${sort.by}"><a href="${sort.href}">${title}</a></th>`,
  )}</tr></thead><tbody>`;
export const tableEnd = html`</tbody></table></div>`;

/** @param key of the row among those of the page; empty where it is not replaced alone */
export const tableRow = (
  key: string,
  columns: readonly Column[],
  cells: readonly (HtmlValue | Cell)[],
): Html =>
  html`<tr data-key="${key}">${cells.map((value, index) => {
    const { content, className = "" } = isCell(value) ? value : { content: value };
    const column = columns[index];
    const label = column?.title ?? "";
    const name = `${column?.className ?? ""} ${className}`.trim();
    return index === 0
      ? html`<th scope="row" class="${name}" data-label="${label}">${content}</th>`
      : html`<td class="${name}" data-label="${label}">${content}</td>`;
  })}</tr>`;

const isCell = (value: HtmlValue | Cell): value is Cell => typeof value === "object" && "content" in value;

/** A table that is replaced with its section. */
export const table = (
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly (HtmlValue | Cell)[])[],
): Html =>
  html`${tableStart(caption, columns)}${rows.map((cells, index) => tableRow(`${caption}:${index}`, columns, cells))}${tableEnd}`;
