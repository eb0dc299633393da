// A page as data: sections of rows, each with a key. The server sends it whole, and later only what became different.
import { html, type Html, type HtmlValue } from "./html.ts";

/** What a state means for whoever looks: five of them, each with a colour and an icon. */
export type Tone = "good" | "busy" | "warn" | "bad" | "idle";

export interface Row {
  readonly key: string;
  /** One element that has `data-key`. */
  readonly html: Html;
}

/**
 * Each of its rows is replaced, moved and taken out alone; a row can be a section itself. All of it is replaced when what is
 * around its rows changed.
 */
export interface Section {
  readonly key: string;
  readonly before: Html;
  readonly rows: readonly Part[];
  readonly after: Html;
}

export type Part = Row | Section;

export interface Page {
  readonly status: number;
  /** Without the name of the program: `✗ 2 failed · Fleet`. */
  readonly title: string;
  readonly tone: Tone;
  /** Which entry of the navigation it belongs to. */
  readonly place: string;
  readonly sections: readonly Section[];
  /** Sections that news keeps up to date; all of them without it. */
  readonly isLive?: (key: string) => boolean;
  /** More scripts than that of every page. */
  readonly script?: "log.js";
}

export const htmlOf = (part: Part): Html =>
  "html" in part
    ? part.html
    : html`<section data-key="${part.key}">${part.before}${part.rows.map(htmlOf)}${part.after}</section>`;

/** A section that is replaced as a whole. */
export const section = (key: string, ...content: readonly HtmlValue[]): Section => ({
  key,
  before: html`${content}`,
  rows: [],
  after: html``,
});

/** A section with a heading. */
export const titled = (key: string, title: string, ...content: readonly HtmlValue[]): Section =>
  section(key, html`<h2>${title}</h2>`, ...content);
