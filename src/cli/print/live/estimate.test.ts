import { expect, test } from "vitest";
import { estimateText } from "./estimate.ts";
import { createStyle, plainStyle } from "../style.ts";

test.each([
  [0, "~2s left"],
  [999, "~2s left"],
  [1999, "~1s left"],
  [2000, "longer than usual"],
  [3_600_000, "longer than usual"],
])("after %i of 2000 ms: %s", (elapsedMs, left) => {
  expect(estimateText({ usualMs: 2000 }, elapsedMs, "left", plainStyle)).toBe(left);
  expect(estimateText({ usualMs: 2000 }, elapsedMs, "full", plainStyle)).toBe(`∅ 2s ${left}`);
});

test("nothing is said of what was never built, or where there is no room", () => {
  const ascii = createStyle({ colour: false, ascii: true });
  expect(estimateText({ usualMs: undefined }, 5000, "full", ascii)).toBe("");
  expect(estimateText({ usualMs: 9000 }, 5000, "none", ascii)).toBe("");
  expect(estimateText({ usualMs: 9000 }, 5000, "full", ascii)).toBe("avg 9s ~4s left");
});
