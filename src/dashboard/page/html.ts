// The one renderer: a tagged template that escapes every value. What is not `Html` is text, so no text from outside
// can become an element or an attribute. `html` is also the only maker of `Html`.
//
// A template is exact text, and may open what another one closes: .oxfmtrc.json keeps the formatter out of them.
import { refuseUnsafePlaces } from "./template-position.ts";

/** Markup that was made by `html`. */
export class Html {
  readonly #markup: string;

  private constructor(markup: string) {
    this.#markup = markup;
  }

  static join(strings: readonly string[], values: readonly HtmlValue[]): Html {
    let markup = strings[0] ?? "";
    values.forEach((value, index) => {
      markup += markupOf(value) + (strings[index + 1] ?? "");
    });
    return new Html(markup);
  }

  toString(): string {
    return this.#markup;
  }
}

/** `undefined` and `false` are nothing. */
export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

const checked = new WeakSet<TemplateStringsArray>();

/** @throws TypeError for a template that puts a value where escaping does not protect: see `refuseUnsafePlaces`. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  if (!checked.has(strings)) {
    refuseUnsafePlaces(strings);
    checked.add(strings);
  }
  return Html.join(strings, values);
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (typeof value === "string") return escapeText(value);
  if (typeof value === "number") return String(value);
  if (value instanceof Html) return value.toString();
  return value.map(markupOf).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Controls but tab and newline, the separators that some take for the end of a line, and what changes the direction of
// text: it can make a line read otherwise than it is.
const invisible = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text for an element or a quoted attribute. What has no shape of its own is shown as `␛`. */
export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? "").replace(invisible, "␛");

/** An address from outside, only where it leads to a page; otherwise undefined. */
export function safeAddress(address: string | undefined): string | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined;
  const { protocol, href } = new URL(address);
  return protocol === "https:" || protocol === "http:" ? href : undefined;
}
