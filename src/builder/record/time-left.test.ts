import { expect, test } from "vitest";
import { decideTimeLeft } from "./time-left.ts";

test.each<
  [string, readonly number[], readonly (readonly [number | undefined, number])[], number, number | undefined]
>([
  ["nothing to do", [], [], 4, undefined],
  ["nothing is known", [], [[undefined, 500]], 4, undefined],
  ["work is shared by the slots", [60_000, 60_000, 60_000, 60_000], [], 2, 120_000],
  ["the longest is not shared", [300_000, 10_000], [], 4, 300_000],
  ["what has run is done", [30_000], [[60_000, 45_000]], 1, 45_000],
  ["what is not known and has just begun may be short", [30_000], [[undefined, 9000]], 2, 30_000],
  ["what is not known and runs for long", [30_000], [[undefined, 11_000]], 2, undefined],
  ["longer than usual", [], [[60_000, 90_000]], 2, undefined],
  ["longer than usual, and something waits", [20_000], [[60_000, 90_000]], 2, 20_000],
  ["no slots are known", [20_000, 20_000], [], 0, 40_000],
])("%s", (_, waiting, running, slots, left) => {
  const started = running.map(([usualMs, elapsedMs]) => ({ usualMs, elapsedMs }));
  expect(decideTimeLeft(waiting, started, slots)).toBe(left);
});
