// Lines of logs as markup.
import { html, type Html } from "../page/html.ts";
import { longestLine, parseSgr } from "./sgr.ts";

export const lineHtml = (line: string): readonly Html[] =>
  parseSgr(line).map(({ text, classes }) =>
    classes === "" ? html`${text}` : html`<span class="${classes}">${text}</span>`,
  );

/** The last lines of a log, without numbers. */
export const tailHtml = (lines: readonly string[]): Html =>
  html`<pre class="tail" tabindex="0">${lines.map((line) => html`${lineHtml(line.slice(0, longestLine))}\n`)}</pre>`;
