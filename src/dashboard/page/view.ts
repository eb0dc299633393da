// A page with what is around it, and how one view of it differs from the next.
import { createHash } from "node:crypto";
import { html, type Html } from "./html.ts";
import { longestRising } from "./longest-rising.ts";
import { htmlOf, type Page, type Part, type Section } from "./page.ts";

export interface View {
  readonly page: Page;
  /** Around the page: how the fleet is, and how true the page is. */
  readonly around: readonly Section[];
  /** Equal marks mean equal views, but for how old they are. */
  readonly mark: string;
  /** Characters of its markup. */
  readonly length: number;
}

/** What the element with that key becomes. Without markup it goes. */
export interface Change {
  readonly key: string;
  readonly html: string;
  /** Where it comes or moves to, beside another element; without it, it stands where it stood. */
  readonly at?: readonly [side: "beforebegin" | "afterend", key: string];
}

const liveSections = ({ sections, isLive }: Page): readonly Section[] =>
  isLive === undefined ? sections : sections.filter(({ key }) => isLive(key));

/** The age of a view changes all the time, and does not make it another view. */
const ageKey = "freshness";

export function createView(page: Page, around: readonly Section[]): View {
  const hash = createHash("sha256");
  let length = 0;
  for (const each of [...around, ...liveSections(page)]) {
    for (const piece of piecesOf(each)) {
      const markup = piece.toString();
      length += markup.length;
      if (each.key !== ageKey) hash.update(markup);
    }
  }
  return { page, around, mark: hash.digest("base64url").slice(0, 16), length };
}

/** Its markup in pieces: that of a thousand rows in one would be made for nothing ten times a second. */
function piecesOf(part: Part): readonly Html[] {
  return "html" in part
    ? [part.html]
    : [html`<section data-key="${part.key}">`, part.before, ...part.rows.flatMap(piecesOf), part.after];
}

/** Everything that news keeps up to date. */
export function wholeView({ page, around }: View): readonly Change[] {
  const head = around.map(changeOf);
  if (page.isLive !== undefined) return [...head, ...liveSections(page).map(changeOf)];
  return [...head, { key: "main", html: page.sections.map((each) => htmlOf(each).toString()).join("") }];
}

/** The least that makes a page of the old view into one of the new. */
export function differenceOf(before: View, after: View): readonly Change[] {
  const around = after.around.flatMap((each, index) => partChanges(before.around[index], each));
  const changes = rowChanges(liveSections(before.page), liveSections(after.page));
  return changes === undefined ? wholeView(after) : [...around, ...changes];
}

function partChanges(before: Part | undefined, after: Part): readonly Change[] {
  if (before === undefined || "html" in before || "html" in after) {
    return before !== undefined && isSame(htmlOf(before), htmlOf(after)) ? [] : [changeOf(after)];
  }
  if (!isSame(before.before, after.before) || !isSame(before.after, after.after)) return [changeOf(after)];
  const changes = rowChanges(before.rows, after.rows);
  if (changes === undefined) return [changeOf(after)];
  // Most elements changed: one piece of markup is less, and less work for the browser.
  return changes.length * 2 > Math.max(4, after.rows.length) ? [changeOf(after)] : changes;
}

/** Undefined where nothing stays that the others could be put beside. */
function rowChanges(before: readonly Part[], after: readonly Part[]): readonly Change[] | undefined {
  const old = new Map(before.map((part, place) => [part.key, { part, place }]));
  const known = after.filter(({ key }) => old.has(key));
  const rising = longestRising(known.map(({ key }) => old.get(key)?.place ?? 0));
  const staying = new Set(rising.map((place) => known[place]?.key));
  const [first] = rising.map((place) => known[place]);
  if (first === undefined) return before.length === 0 && after.length === 0 ? [] : undefined;
  const wanted = new Set(after.map(({ key }) => key));
  return [
    ...before.filter(({ key }) => !wanted.has(key)).map(({ key }): Change => ({ key, html: "" })),
    ...after.flatMap((part, place): readonly Change[] => {
      if (staying.has(part.key)) return partChanges(old.get(part.key)?.part, part);
      const previous = after[place - 1];
      const at =
        previous === undefined
          ? (["beforebegin", first.key] as const)
          : (["afterend", previous.key] as const);
      return [{ ...changeOf(part), at }];
    }),
  ];
}

const isSame = (a: Html, b: Html): boolean => a === b || a.toString() === b.toString();

const changeOf = (part: Part): Change => ({ key: part.key, html: htmlOf(part).toString() });
