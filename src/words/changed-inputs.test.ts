import { expect, test } from "vitest";
import { changedInputsSentence } from "./changed-inputs.ts";

test.each([
  [undefined, "which inputs changed in between is not known"],
  [[], "no input changed in between"],
  [["nixpkgs", "tools"], "nixpkgs, tools changed in between"],
])("of the changed inputs %j it says: %s", (inputs, sentence) => {
  expect(changedInputsSentence(inputs)).toBe(sentence);
});

test("two commits are named where there is room", () => {
  expect(changedInputsSentence(["nixpkgs"], "a and b")).toBe("nixpkgs changed between a and b");
});
