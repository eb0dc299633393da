// The judge of random histories must know who is a culprit, or it proves nothing.
import { expect, test } from "vitest";
import { parseCommit } from "../src/protocol/names.ts";
import { judgeAlways, judgeFound, judgeSearch } from "./support/update-invariants.ts";
import { findCulprits, type Breakage, type UpdateWorld } from "./support/update-world.ts";

const worldOf = (...breakages: readonly Breakage["when"][]): UpdateWorld => ({
  hosts: ["web"],
  inputs: ["alpha", "beta", "gamma"],
  below: { gamma: "gamma-lib" },
  breakages: breakages.map((when) => ({ hosts: ["web"], verdict: "build-failed", when })),
});
const from = (input: string, state: number) => ({ input, from: state, to: 1000 });
const until = (input: string, state: number) => ({ input, from: 0, to: state });
const change = {
  before: { alpha: 1, beta: 1, gamma: 1, "gamma-lib": 1 },
  after: { alpha: 3, beta: 3, gamma: 1, "gamma-lib": 3 },
};

test.each([
  ["one alone", worldOf([from("alpha", 2)]), ["alpha"], ["alpha"]],
  ["one below another that has not moved", worldOf([from("gamma-lib", 2)]), ["gamma"], ["gamma"]],
  ["two together", worldOf([from("alpha", 2), from("beta", 2)]), ["alpha", "beta"], ["alpha", "beta"]],
  ["either of two", worldOf([from("alpha", 2)], [from("beta", 2)]), ["alpha", "beta"], undefined],
  [
    "one, while another only breaks without a third",
    worldOf([from("alpha", 2)], [from("beta", 2), until("gamma-lib", 2)]),
    ["alpha"],
    ["alpha"],
  ],
] as const)("who is a culprit: %s", (_, world, involved, evident) => {
  const culprits = findCulprits(world, change);
  expect([...culprits.involved].toSorted()).toEqual(involved);
  expect(culprits.evident).toEqual(evident);
});

test("nobody is where nothing breaks", () => {
  const world = worldOf([from("alpha", 9)], [from("alpha", 2), until("beta", 2)]);
  expect(findCulprits(world, change)).toMatchObject({ hosts: [], involved: new Set() });
});

const stateOf = (): number => 2;
const rev = parseCommit("a".repeat(40));
const named = (...culprits: readonly (readonly string[])[]) => ({ culprits, bisected: [] });
const alone = worldOf([from("alpha", 2)]);
const together = worldOf([from("alpha", 2), from("beta", 2)]);
const either = worldOf([from("alpha", 2)], [from("beta", 2)]);

test.each([
  ["somebody innocent", alone, named(["beta"]), 3],
  ["somebody innocent beside the culprits", alone, named(["alpha"], ["beta"]), 2],
  ["somebody innocent together with the culprits", alone, named(["alpha", "beta"]), 2],
  ["one of two that only break together", together, named(["alpha"]), 1],
  ["both of them, each for itself", together, named(["alpha"], ["beta"]), 2],
  ["both of them", together, named(["alpha", "beta"]), 0],
  ["one of two that each break it", either, named(["alpha"]), 1],
  ["both of those", either, named(["alpha"], ["beta"]), 0],
  ["both of those as if together", either, named(["alpha", "beta"]), 2],
  ["nobody, and says not why", alone, named(), 1],
  ["nobody, and says why", alone, { ...named(), unproven: "there was no time" }, 0],
])("a verdict that names %s", (_, world, found, faults) => {
  expect(judgeFound(world, { change, found, stateOf })).toHaveLength(faults);
});

test("the first bad revision is one at which something breaks", () => {
  const bisected = [
    { input: "alpha", firstBad: { rev, committedAt: new Date(0), subject: "" }, probes: 1, skipped: 0 },
  ];
  const judge = (state: number) =>
    judgeFound(worldOf([from("alpha", state)]), {
      change,
      found: { culprits: [["alpha"]], bisected },
      stateOf,
    });
  expect(judge(2)).toEqual([]);
  expect(judge(3)).toHaveLength(1);
});

test("what is plain has to be found, and what breaks must not land", () => {
  const world = worldOf([from("alpha", 2)]);
  expect(judgeSearch(world, { change, found: named(["alpha"]) })).toEqual([]);
  expect(judgeSearch(world, { change, found: undefined })).toHaveLength(1);
  const tip = { commit: rev, states: change.after };
  const fleet = { newest: change.after, tip, landed: [tip], told: [], refs: new Map(), openPulls: [] };
  const innocent = { commit: rev, change: { before: change.before, after: change.before } };
  expect(judgeAlways(world, { ...fleet, accused: [innocent] })).toHaveLength(2);
});
