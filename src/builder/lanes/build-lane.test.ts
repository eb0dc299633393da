import { expect, test } from "vitest";
import { decideStart } from "./build-lane.ts";

test.each([
  ["nothing is ready", [0, 0, 0, true], Number.POSITIVE_INFINITY],
  ["nothing has run yet", [1, 0, Number.POSITIVE_INFINITY, true], 0],
  ["one was short, and more come", [1, 0, 200, true], 800],
  ["one was short, and this is all", [1, 0, 200, false], 0],
  ["one has just begun, and more come", [1, 1, 1000, true], 2000],
  ["one has just begun, and this is all", [1, 1, 1000, false], 0],
  ["one runs for long", [1, 1, 60_000, true], 0],
  ["one runs and one overtakes it", [5, 2, 60_000, false], Number.POSITIVE_INFINITY],
] as const)("when %s", (_, [ready, running, sinceLastStartMs, moreCome], expected) => {
  expect(decideStart({ ready, running, sinceLastStartMs, moreCome: () => moreCome })).toBe(expected);
});
