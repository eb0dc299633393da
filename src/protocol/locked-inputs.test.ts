import { expect, test } from "vitest";
import { changedInputs, fitsLockedInputs, type LockedInput } from "./locked-inputs.ts";

const locked = (input: string, rev: string): LockedInput => ({ input, source: "github:o/r", rev });

test("inputs that were added, removed or moved are named, and no others", () => {
  const before = [locked("gone", "a"), locked("moved", "a"), locked("same", "a")];
  const after = [locked("moved", "b"), locked("new", "a"), { ...locked("same", "a"), madeAt: 5 }];
  expect(changedInputs(before, after)).toEqual(["gone", "moved", "new"]);
  expect(changedInputs(before, before)).toEqual([]);
});

test("the same revision from elsewhere is a change", () => {
  expect(changedInputs([locked("a", "1")], [{ ...locked("a", "1"), source: "github:fork/r" }])).toEqual([
    "a",
  ]);
});

test("more inputs than an event holds do not fit", () => {
  const inputs = Array.from({ length: 65 }, (_, index) => locked(`input${index}`, "a"));
  expect(fitsLockedInputs(inputs)).toBe(false);
  expect(fitsLockedInputs(inputs.slice(1))).toBe(true);
});
