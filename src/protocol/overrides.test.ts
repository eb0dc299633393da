import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { someOverride } from "../../test/support/overrides.ts";
import { parseCommit } from "./names.ts";
import { newestRevisions, Overrides, parseRevisionName, revisionName, variantOf } from "./overrides.ts";

const commit = parseCommit("a".repeat(40));
const digits = Array.from("0123456789abcdef");

test.each([
  ["none", []],
  ["too many", Array.from({ length: 9 }, (_, index) => someOverride({ input: `input${index}` }))],
  ["one input twice", [someOverride(), someOverride({ commit: "c".repeat(40) })]],
  ["an option", [{ ...someOverride(), input: "--impure" }]],
  ["an input of an input", [{ ...someOverride(), input: "servers/nixpkgs" }]],
  ["a URL for a repo", [{ ...someOverride(), repo: "https://git.lan/x" }]],
  ["a branch for a commit", [{ ...someOverride(), commit: "master" }]],
])("%s is no list of overrides", (_, overrides) => {
  expect(v.is(Overrides, overrides)).toBe(false);
});

test("a revision without overrides has the name of its commit", () => {
  expect(variantOf([])).toBeUndefined();
  expect(revisionName({ commit })).toBe(commit);
  expect(parseRevisionName(commit)).toEqual({ commit });
});

test.each(["", "~", "master", `${commit}~`, `${commit}~x`, `${commit}~${"0".repeat(32)}~`, `../${commit}`])(
  "%j names no revision",
  (name) => {
    expect(parseRevisionName(name)).toBeUndefined();
  },
);

test("other overrides are another revision, and another order is not", () => {
  const override = fc.record({
    input: fc.constantFrom("one", "two"),
    repo: fc.constantFrom("one", "two"),
    commit: fc.constantFrom(...digits).map((digit) => digit.repeat(40)),
  });
  const list = fc.uniqueArray(override, { minLength: 1, maxLength: 2, selector: ({ input }) => input });
  fc.assert(
    fc.property(list, list, (one, other) => {
      const sorted = (overrides: typeof one): string =>
        JSON.stringify(overrides.map((each) => Object.values(each).join(" ")).toSorted());
      const isSame = sorted(one) === sorted(other);
      const [first, second] = [one.map(someOverride), other.map(someOverride)];
      expect(variantOf(first) === variantOf(second)).toBe(isSame);
      const revision = { commit, variant: variantOf(first) };
      expect(parseRevisionName(revisionName(revision))).toEqual(revision);
    }),
  );
});

test("so many commits are kept, and as many with overrides", () => {
  const names = ["1~x", "2~x", "a", "3~x", "b", "c"];
  expect(newestRevisions(names, 2)).toEqual(["a", "b", "1~x", "2~x"]);
});
