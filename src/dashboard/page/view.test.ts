import fc from "fast-check";
import { expect, test } from "vitest";
import { html } from "./html.ts";
import { htmlOf, section, type Page, type Section } from "./page.ts";
import { createView, differenceOf, wholeView, type Change, type View } from "./view.ts";

interface Rows {
  readonly key: string;
  readonly head: string;
  readonly rows: readonly { readonly key: string; readonly text: string }[];
}

const sectionOf = ({ key, head, rows }: Rows): Section => ({
  key,
  before: html`<h2>${head}</h2>`,
  rows: rows.map((row) => ({
    key: `${key}/${row.key}`,
    html: html`<p data-key="${`${key}/${row.key}`}">${row.text}</p>`,
  })),
  after: html``,
});
const pageOf = (sections: readonly Rows[]): Page => ({
  status: 200,
  title: "t",
  tone: "good",
  place: "/",
  sections: sections.map(sectionOf),
});

const key = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
const rows = fc.uniqueArray(fc.record({ key, text: fc.constantFrom("1", "2") }), {
  selector: (row) => row.key,
});
const sections = fc.uniqueArray(fc.record({ key, head: fc.constantFrom("x", "y"), rows }), {
  selector: (each) => each.key,
});

/** What a browser does with changes. */
function apply(shown: string, changes: readonly Change[]): string {
  let markup = shown;
  /** Where an element begins and ends; sections hold paragraphs, and nothing holds itself. */
  const find = (place: string): readonly [start: number, end: number] => {
    const tag = place.includes("/") ? "p" : "section";
    const start = markup.indexOf(`<${tag} data-key="${place}"`);
    const close = `</${tag}>`;
    return [start, start < 0 ? start : markup.indexOf(close, start) + close.length];
  };
  for (const { key: place, html: replacement, at } of changes) {
    if (place === "main") {
      markup = replacement;
      continue;
    }
    const [start, end] = find(place);
    const [spot] = at === undefined ? [start] : find(at[1]);
    if (spot < 0) throw new Error(`nothing has the key ${at?.[1] ?? place}`);
    if (at === undefined) {
      markup = markup.slice(0, start) + replacement + markup.slice(end);
      continue;
    }
    const [side, beside] = at;
    if (start >= 0) markup = markup.slice(0, start) + markup.slice(end);
    const moved = find(beside)[side === "beforebegin" ? 0 : 1];
    markup = markup.slice(0, moved) + replacement + markup.slice(moved);
  }
  return markup;
}

test("a page with the changes in it is the new page", () => {
  fc.assert(
    fc.property(sections, sections, (before, after) => {
      const [old, now] = [createView(pageOf(before), []), createView(pageOf(after), [])];
      const markup = (view: typeof old): string =>
        view.page.sections.map((each) => htmlOf(each).toString()).join("");
      expect(apply(markup(old), differenceOf(old, now))).toBe(markup(now));
      expect(apply(markup(old), wholeView(now))).toBe(markup(now));
      expect(old.mark === now.mark).toBe(markup(old) === markup(now));
    }),
  );
});

test("a row that changed is sent alone", () => {
  const rowsOf = (text: string): Rows => ({
    key: "a",
    head: "x",
    rows: [
      { key: "1", text },
      { key: "2", text: "same" },
    ],
  });
  const [old, now] = [createView(pageOf([rowsOf("1")]), []), createView(pageOf([rowsOf("2")]), [])];
  expect(differenceOf(old, now)).toEqual([{ key: "a/1", html: '<p data-key="a/1">2</p>' }]);
});

test("how old a page is makes no other page, and sections that news does not touch are not sent", () => {
  const age = (text: string): Section => section("freshness", html`${text}`);
  const page: Page = { ...pageOf([{ key: "head", head: "x", rows: [] }]), isLive: (name) => name === "head" };
  const withLines: Page = { ...page, sections: [...page.sections, section("lines", html`many`)] };
  expect(createView(page, [age("1")]).mark).toBe(createView(withLines, [age("2")]).mark);
  expect(wholeView(createView(withLines, [])).map((change) => change.key)).toEqual(["head"]);
});

test("rows that came, went or moved are sent alone, and all others stay", () => {
  const list = (order: string): Page =>
    pageOf([{ key: "a", head: "x", rows: order.split("").map((letter) => ({ key: letter, text: letter })) }]);
  const changes = (before: string, after: string): readonly string[] =>
    differenceOf(createView(list(before), []), createView(list(after), [])).map(
      ({ key: place, html: markup, at }) =>
        `${place}${at === undefined ? "" : ` ${at[0]} ${at[1]}`}${markup === "" ? " goes" : ""}`,
    );
  expect(changes("bcdefgha", "abcdefgh")).toEqual(["a/a beforebegin a/b"]);
  expect(changes("abcdefgh", "bcdefgha")).toEqual(["a/a afterend a/h"]);
  expect(changes("abcdefgh", "abcxdefh")).toEqual(["a/g goes", "a/x afterend a/c"]);
  // Where most is new, one piece of markup is less.
  expect(changes("abcdefgh", "hgfedcba")).toEqual(["a"]);
  expect(changes("abc", "xyz")).toEqual(["a"]);
});

test("a section in a section is replaced alone", () => {
  const board = (host: string): Section => ({
    key: "board",
    before: html`<div>`,
    rows: [
      sectionOf({ key: "w", head: "w", rows: [{ key: "1", text: host }] }),
      sectionOf({ key: "v", head: "v", rows: [] }),
    ],
    after: html`</div>`,
  });
  const view = (host: string): View => createView({ ...pageOf([]), sections: [board(host)] }, []);
  expect(differenceOf(view("x"), view("y"))).toEqual([{ key: "w/1", html: '<p data-key="w/1">y</p>' }]);
  expect(htmlOf(board("x")).toString()).toBe(
    '<section data-key="board"><div><section data-key="w"><h2>w</h2><p data-key="w/1">x</p></section><section data-key="v"><h2>v</h2></section></div></section>',
  );
});
