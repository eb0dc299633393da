import { expect, test } from "vitest";
import { someOverride } from "../../../test/support/overrides.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { variantOf } from "../../protocol/overrides.ts";
import type { HostWork, RunningBuild } from "../work.ts";
import { pickEvaluations } from "./pick-evaluations.ts";

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
    interruptions: 0,
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
