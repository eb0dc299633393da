import { expect, test } from "vitest";
import { decideStart } from "./build-lane.ts";

test.each([
  ["nothing is ready", [0, 0, 0], Number.POSITIVE_INFINITY],
  ["nothing runs", [1, 0, 0], 0],
  ["one has just begun", [1, 1, 1000], 2000],
  ["one runs for long", [1, 1, 60_000], 0],
  ["one runs and one overtakes it", [5, 2, 60_000], Number.POSITIVE_INFINITY],
] as const)("when %s", (_, [ready, running, since], expected) => {
  expect(decideStart(ready, running, since)).toBe(expected);
});
