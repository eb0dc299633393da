// A log as it is shown, and its lines as rows.
import { lineHtml } from "../../log/line-html.ts";
import { droppedText, type LogLine } from "../../log/log-library.ts";
import { longestLine } from "../../log/sgr.ts";
import type { LogName } from "../../log/log-name.ts";
import { html, type Html, type HtmlValue } from "../../page/html.ts";

/** A log as it is shown. */
export interface ShownLog {
  readonly name: LogName;
  readonly path: string;
  readonly title: string;
  readonly crumbs: Html;
  /** Beside the number of its lines. */
  readonly about: HtmlValue;
  /** Below it. */
  readonly origin: HtmlValue;
  readonly isLive: boolean;
  /** Why what printed it failed: it opens at the first line that reads like that. */
  readonly failure?: string;
  /** Entry of the navigation. */
  readonly place: string;
  readonly command: readonly [does: string, text: string];
}

/**
 * @param failedAt the number of the first line that reads like a failure
 * @param opensAt the number of the line that the page scrolls to
 */
export function lineRow(
  line: LogLine,
  path: string,
  failedAt: number | undefined,
  opensAt: number | undefined,
): Html {
  if (line.type === "dropped") {
    return html`<div class="l dropped"><span class="t">${droppedText(line.dropped)}</span></div>`;
  }
  const { number, text, length } = line;
  const isCut = length > longestLine;
  const isFailure = number === failedAt;
  // The browser scrolls to what has the focus, also without scripts.
  const numberLink =
    number === opensAt
      ? html`<a class="n" href="#L${number}" aria-label="Line ${number}, the first failure" autofocus>${number}</a>`
      : html`<a class="n" href="#L${number}" aria-label="Line ${number}">${number}</a>`;
  return html`<div class="${isFailure ? "l failure" : "l"}" id="L${number}">${numberLink}<span class="t">${lineHtml(isCut ? text.slice(0, longestLine) : text)}${isCut && html`… <a class="whole" href="${path}/lines/${number}">show all ${length.toLocaleString("en")} characters</a>`}</span></div>`;
}
