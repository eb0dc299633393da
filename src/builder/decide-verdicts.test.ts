import { expect, test } from "vitest";
import type { FailureAnalysis, FailureCause, StartedDerivation } from "../nix/realiser.ts";
import type { StorePath } from "../protocol/names.ts";
import {
  decideBuilt,
  decideEvaluationFailure,
  hasFailedForGood,
  isDeterministic,
} from "./decide-verdicts.ts";

const path = (name: string): StorePath => `/nix/store/${"0".repeat(32)}-${name}.drv` as StorePath;
const top = path("top");

function analysisOf(...kinds: FailureCause["kind"][]): FailureAnalysis {
  const causes = kinds.map((kind, i): [StorePath, FailureCause] => [
    path(`d${i}`),
    { kind, name: `d${i}`, reason: `${kind} reason` },
  ]);
  return { causes: new Map(causes), brokenBy: new Map([[top, causes.map(([drv]) => drv)]]) };
}

test("a valid output is built, whatever else was said", () => {
  expect(decideBuilt(top, true, analysisOf("failed"))).toEqual({ type: "verdict", verdict: "built" });
});

test.each<[FailureCause["kind"][], object]>([
  [["failed"], { type: "verdict", verdict: "build-failed", reason: "d0: failed reason" }],
  [["infra", "failed"], { type: "verdict", verdict: "build-failed", reason: "d1: failed reason" }],
  [
    ["failed", "failed", "failed"],
    { type: "verdict", verdict: "build-failed", reason: "d0: failed reason (and 2 more derivations)" },
  ],
  [["timed-out", "infra"], { type: "verdict", verdict: "timed-out", reason: "d0: timed-out reason" }],
  [["no-builder"], { type: "verdict", verdict: "skipped", reason: "d0: no-builder reason" }],
  [["infra"], { type: "retry", reason: "d0: infra reason" }],
  [["unclear"], { type: "retry", reason: "d0: unclear reason" }],
  [["interrupted", "infra"], { type: "retry", reason: "d1: infra reason" }],
  [["interrupted"], { type: "again", reason: "d0: interrupted reason" }],
  [["interrupted", "failed"], { type: "verdict", verdict: "build-failed", reason: "d1: failed reason" }],
  [[], { type: "retry", reason: "Nix ended without building it and without saying why" }],
])("an invalid output because of %j", (kinds, expected) => {
  expect(decideBuilt(top, false, analysisOf(...kinds))).toEqual(expected);
});

test.each<[string, FailureCause["kind"][], Record<string, Partial<StartedDerivation>>, boolean]>([
  ["it failed", ["failed"], { d0: { end: "known" } }, true],
  ["Nix never began it", ["no-builder"], {}, true],
  ["another one still builds", ["failed", "infra"], { d0: { end: "known" }, d1: {} }, false],
  ["one that still builds was spoken of", ["failed"], { d0: {} }, false],
  ["another one has not begun", ["failed", "infra"], { d0: { end: "known" } }, false],
  ["the infrastructure failed it", ["infra"], { d0: { end: "known" } }, false],
  ["nobody knows why", [], {}, false],
])("whether a host has failed while Nix still runs: %s", (_, kinds, builds, expected) => {
  const started = new Map(
    Object.entries(builds).map(([name, build]) => [path(name), { durationMs: 1, silentMs: 1, ...build }]),
  );
  expect(hasFailedForGood(top, analysisOf(...kinds), { started })).toBe(expected);
});

test.each([
  ["error", "eval-failed", true],
  ["out-of-memory", "eval-failed", false],
  ["timed-out", "timed-out", false],
] as const)("an evaluation that ends by %s is %s; remembered: %s", (cause, verdict, remembered) => {
  const failure = { cause, message: "m", details: "d", isOwn: remembered };
  expect(decideEvaluationFailure(failure)).toEqual({ type: "verdict", verdict, reason: "m", details: "d" });
  expect(isDeterministic(failure)).toBe(remembered);
});

test("an error of which nobody knows whether it is the host's own is not remembered", () => {
  const failure = {
    cause: "error",
    message: "experimental Nix feature 'x' is disabled",
    details: "",
  } as const;
  expect(decideEvaluationFailure(failure)).toMatchObject({ verdict: "eval-failed" });
  expect(isDeterministic(failure)).toBe(false);
});

test("an evaluation that the infrastructure ends is tried again", () => {
  expect(decideEvaluationFailure({ cause: "infra", message: "m", details: "" })).toEqual({
    type: "retry",
    reason: "m",
  });
});
