import { expect, test } from "vitest";
import { createMemoryJournal, type Journal, type UnreachedInput } from "./journal.ts";
import { countRuns, needsPerson, rememberedInputs } from "./unreached-inputs.ts";
import { parseBranchName, parseCommit } from "../protocol/names.ts";

const base = parseCommit("1".repeat(40));
const branch = parseBranchName("flake-update/2026-11-23");
const down = (input: string) => ({ input, kind: "unavailable", reason: "it is down" }) as const;
const ages = (inputs: readonly UnreachedInput[]) =>
  inputs.map(({ input, runs, since }) => [input, runs, since]);

/** One run after the other in the same journal. */
function simulateRuns() {
  const journal: Journal = createMemoryJournal();
  return {
    journal,
    async run(day: number, out: readonly string[], inputs?: string[]) {
      const unreached = [...rememberedInputs(journal)];
      await journal.restart();
      const at = `2026-11-0${day}T02:00:00.000Z`;
      await journal.append({ step: "started", run: String(day), at, base, branch, inputs, unreached });
      const unavailable = countRuns(out.map(down), journal.last("started"));
      await journal.append({ step: "resolved", fullLock: "{}", unavailable });
      return unavailable;
    },
  };
}

test("an input that cannot be reached is counted from run to run, until it answers", async () => {
  const { run, journal } = simulateRuns();
  const first = "2026-11-01T02:00:00.000Z";
  expect(ages(await run(1, ["a"]))).toEqual([["a", 1, first]]);
  const second = await run(2, ["a", "b"]);
  expect(ages(second)).toEqual([
    ["a", 2, first],
    ["b", 1, "2026-11-02T02:00:00.000Z"],
  ]);
  expect(second.map(needsPerson)).toEqual([false, false]);
  const third = await run(3, ["a"]);
  expect(ages(third)).toEqual([["a", 3, first]]);
  expect(third.map(needsPerson)).toEqual([true]);
  await run(4, []);
  expect(rememberedInputs(journal)).toEqual([]);
  expect(ages(await run(5, ["a"]))).toEqual([["a", 1, "2026-11-05T02:00:00.000Z"]]);
});

test("a run of other inputs says nothing of it", async () => {
  const { run } = simulateRuns();
  await run(1, ["a"]);
  await run(2, [], ["b"]);
  expect(ages(await run(3, ["a"]))).toEqual([["a", 2, "2026-11-01T02:00:00.000Z"]]);
});

test("a run that never asked upstream says nothing of it", async () => {
  const { run, journal } = simulateRuns();
  await run(1, ["a"]);
  const unreached = [...rememberedInputs(journal)];
  await journal.restart();
  await journal.append({
    step: "started",
    run: "2",
    at: "2026-11-02T02:00:00.000Z",
    base,
    branch,
    unreached,
  });
  expect(ages(await run(3, ["a"]))).toEqual([["a", 2, "2026-11-01T02:00:00.000Z"]]);
});

test.each(["failed", "refused"] as const)("nothing waits for what is %s", (kind) => {
  expect(needsPerson({ kind, runs: 1 })).toBe(true);
});
