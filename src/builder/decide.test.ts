import { expect, test } from "vitest";
import type { FailureAnalysis, FailureCause } from "../nix/realiser.ts";
import { applyEvent, foldEvents } from "../protocol/build-state.ts";
import type { BuilderStatus } from "../protocol/builder-status.ts";
import type { BuildEvent, EventBody } from "../protocol/events.ts";
import {
  parseBuildId,
  parseBuilderName,
  parseCommit,
  parseHostName,
  parseRepoName,
  type StorePath,
} from "../protocol/names.ts";
import { variantOf } from "../protocol/overrides.ts";
import { someOverride } from "../../test/support/overrides.ts";
import { decideControl } from "./holdings/build-control.ts";
import { takeNext } from "./record/build-record.ts";
import { endingOf } from "./record/end-build.ts";
import { decideGivingUp, shouldResume } from "./holdings/decide-resume.ts";
import { decideBuilt, decideEvaluationFailure, isDeterministic } from "./decide-verdicts.ts";
import type { HostWork, RunningBuild } from "./work.ts";
import { pickEvaluations } from "./evaluation/pick-evaluations.ts";

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
  [[], { type: "retry", reason: "Nix ended without building it and without saying why" }],
])("an invalid output because of %j", (kinds, expected) => {
  expect(decideBuilt(top, false, analysisOf(...kinds))).toEqual(expected);
});

test.each([
  ["error", "eval-failed", true],
  ["out-of-memory", "eval-failed", false],
  ["timed-out", "timed-out", false],
] as const)("an evaluation that ends by %s is %s; remembered: %s", (cause, verdict, remembered) => {
  const failure = { cause, message: "m", details: "d" };
  expect(decideEvaluationFailure(failure)).toEqual({ type: "verdict", verdict, reason: "m", details: "d" });
  expect(isDeterministic(failure)).toBe(remembered);
});

test("an evaluation that the infrastructure ends is tried again", () => {
  expect(decideEvaluationFailure({ cause: "infra", message: "m", details: "" })).toEqual({
    type: "retry",
    reason: "m",
  });
});

const id = parseBuildId("01JD0000000000000000000000");
const [me, other] = [parseBuilderName("me"), parseBuilderName("other")];
const repo = parseRepoName("nixos");
const accepted = (builder: typeof me): BuildEvent => ({
  build: id,
  epoch: 1,
  index: 0,
  at: "2026-11-23T14:00:00Z",
  type: "accepted",
  builder,
  priority: "batch",
  trigger: "ci",
  sources: [],
  hosts: [{ repo, host: parseHostName("a") }],
  skipped: [],
});
const envelope = (index: number) => ({ build: id, epoch: 1, index, at: "2026-11-23T14:00:00Z" });
const seen = (name: typeof me, at: string): BuilderStatus => ({
  name,
  version: "0",
  nixVersion: "2",
  systems: [],
  repos: [],
  at,
  startedAt: at,
  evaluationSlots: 1,
  builds: [],
});

test("a builder goes on with its own builds, and with those of builders that are gone", () => {
  const now = new Date("2026-11-23T15:00:00Z");
  const held = (builder: typeof me) => foldEvents(id, [accepted(builder)]);
  expect(shouldResume(held(me), me, [], now)).toBe(true);
  expect(shouldResume(held(other), me, [], now)).toBe(true);
  expect(shouldResume(held(other), me, [seen(other, "2026-11-23T14:59:30Z")], now)).toBe(false);
  expect(shouldResume(held(other), me, [seen(other, "2026-11-23T14:58:00Z")], now)).toBe(true);
});

test("a build that was resumed three times without a word is given up, and no other", () => {
  const resumed = (index: number): BuildEvent => ({
    ...envelope(index),
    type: "resumed",
    builder: me,
  });
  const word: BuildEvent = { ...envelope(2), type: "warning", message: "w" };
  const decide = (...events: BuildEvent[]) => decideGivingUp(events, foldEvents(id, events))?.code;
  expect(decide(accepted(me))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), resumed(2))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), word, resumed(3), resumed(4))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), resumed(2), resumed(3))).toBe("GIVEN_UP");
});

test("a build whose hosts were not all named does not go on: nobody knows the others", () => {
  const events: BuildEvent[] = [{ ...accepted(me), part: { number: 1, of: 2 } } as BuildEvent];
  const state = foldEvents(id, events);
  const ending = decideGivingUp(events, state);
  expect(ending?.verdict).toBe("infra-failed");
  const allBuilt: BuildEvent = {
    ...envelope(1),
    type: "hosts-finished",
    hosts: [{ repo, host: parseHostName("a"), verdict: "built", durationMs: 1 }],
  };
  const last = endingOf(applyEvent(state, allBuilt), { verdict: "infra-failed", reason: "r" }, new Date());
  expect(last).toMatchObject({ hosts: [], finished: { verdict: "infra-failed" } });
});

test("a cancel waits for the holder, ends what nobody began, and is done when the build is", () => {
  const finished: BuildEvent = {
    ...accepted(me),
    index: 1,
    type: "finished",
    verdict: "succeeded",
    durationMs: 1,
  };
  expect(decideControl(finished, false, 1)).toBe("done");
  expect(decideControl(undefined, false, 1)).toBe("begin-cancelled");
  expect(decideControl(undefined, true, 1)).toBe("later");
  expect(decideControl(accepted(other), false, 1)).toBe("later");
  expect(decideControl(accepted(other), true, 4)).toBe("later");
  expect(decideControl(accepted(other), true, 5)).toBe("end");
  expect(decideControl(accepted(other), false, 10_000)).toBe("done");
});

test("events of the same kind that wait together become one, and the order stays", () => {
  const host = (name: string) => ({
    repo,
    host: parseHostName(name),
    verdict: "built" as const,
    durationMs: 1,
  });
  const queue: EventBody[] = [
    { type: "hosts-finished", hosts: [host("a")] },
    { type: "hosts-finished", hosts: [host("b"), host("c")] },
    { type: "warning", message: "w" },
    { type: "hosts-finished", hosts: [host("d")] },
  ];
  expect(takeNext(queue)).toEqual([{ type: "hosts-finished", hosts: [host("a"), host("b"), host("c")] }]);
  expect(takeNext(queue)).toEqual([{ type: "warning", message: "w" }]);
  expect(takeNext(queue)).toEqual([{ type: "hosts-finished", hosts: [host("d")] }]);
  expect(takeNext(queue)).toEqual([]);
});

const watcher = (priority: RunningBuild["priority"]): RunningBuild => ({ priority }) as RunningBuild;
let order = 0;
function work(
  repoName: string,
  host: string,
  priority: RunningBuild["priority"],
  more: Partial<HostWork> = {},
): HostWork {
  return {
    key: `${parseRepoName(repoName)}@${parseCommit("a".repeat(40))}#${parseHostName(host)}`,
    repo: parseRepoName(repoName),
    commit: parseCommit("a".repeat(40)),
    host: parseHostName(host),
    order: order++,
    watchers: new Set([watcher(priority)]),
    stage: "evaluation",
    evaluation: undefined,
    remembered: false,
    alone: false,
    outcome: undefined,
    attempt: 1,
    reevaluated: false,
    ...more,
  };
}
const names = (works: readonly HostWork[]): string[] => works.map((each) => each.host);
const options = { batchSize: 4, slots: 2, lastServed: new Map<string, number>() };

test("interactive work comes first, then the repo that waited longest, then who asked first", () => {
  const waiting = [
    work("one", "a", "batch"),
    work("one", "b", "batch"),
    work("two", "c", "batch"),
    work("two", "d", "interactive"),
  ];
  expect(names(pickEvaluations(waiting, options))).toEqual(["d"]);
  expect(
    names(pickEvaluations(waiting.slice(0, 3), { ...options, slots: 1, lastServed: new Map([["one", 1]]) })),
  ).toEqual(["c"]);
  expect(names(pickEvaluations(waiting.slice(0, 2), { ...options, slots: 1 }))).toEqual(["a", "b"]);
});

test("a batch is no larger than its share, and of one commit with the same overrides", () => {
  const variant = variantOf([someOverride()]);
  const waiting = ["a", "b", "c", "d", "e", "f"].map((host) => work("one", host, "batch"));
  expect(pickEvaluations(waiting, { ...options, slots: 2 })).toHaveLength(3);
  expect(pickEvaluations(waiting, { ...options, slots: 1 })).toHaveLength(4);
  const mixed = [...waiting.slice(0, 2), work("one", "g", "batch", { variant })];
  expect(names(pickEvaluations(mixed, { ...options, slots: 1 }))).toEqual(["a", "b"]);
});

test("a host whose batch failed is evaluated alone", () => {
  const waiting = [work("one", "a", "batch", { alone: true }), work("one", "b", "batch")];
  expect(names(pickEvaluations(waiting, { ...options, slots: 1 }))).toEqual(["a"]);
  expect(pickEvaluations([], options)).toEqual([]);
});
