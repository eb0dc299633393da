import * as v from "valibot";
import { expect, test } from "vitest";
import { chooseHosts, HostSelector, HostSelectors } from "./host-selectors.ts";

const inventory = new Set(["web01", "web02", "web03", "db", "not.usable/name"]);
const choose = (...selectors: string[]) => {
  const { names, matched, unmet } = chooseHosts(v.parse(HostSelectors, selectors), inventory);
  return { names, matched: [...matched], unmet };
};

test.each([
  ["names", ["web01", "db"], { names: ["web01", "db"], matched: [], unmet: [] }],
  ["a glob", ["web*"], { names: [], matched: ["web01", "web02", "web03"], unmet: [] }],
  ["a glob but for one", ["web*", "!web03"], { names: [], matched: ["web01", "web02"], unmet: [] }],
  ["all but some", ["!web0[12]"], { names: [], matched: ["web03", "db", "not.usable/name"], unmet: [] }],
  ["what is named and left out", ["web01", "db", "!web*"], { names: ["db"], matched: [], unmet: [] }],
  ["a name twice", ["db", "db"], { names: ["db"], matched: [], unmet: [] }],
  ["a glob that matches nothing", ["mail*", "db"], { names: ["db"], matched: [], unmet: ["mail*"] }],
  ["nobody to leave out", ["web*", "!web9"], { unmet: ["!web9"] }],
])("%s", (_, selectors, chosen) => {
  expect(choose(...selectors)).toMatchObject(chosen);
});

test.each(["", "!", "!!a", "a b", "web[1", "a/b", "-a", "-*", "web[]", "a".repeat(65) + "*", "\u202eweb*"])(
  "%j is no selector",
  (text) => {
    expect(v.is(HostSelector, text)).toBe(false);
  },
);

test("so many globs that looking would take long are refused", () => {
  expect(v.is(HostSelectors, Array<string>(33).fill("a*"))).toBe(false);
  expect(v.is(HostSelectors, Array<string>(2000).fill("a"))).toBe(true);
});
