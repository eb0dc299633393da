import { expect, test } from "vitest";
import { someOverride } from "../../../test/support/overrides.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { variantOf } from "../../protocol/overrides.ts";
import type { HostWork, RunningBuild } from "../work.ts";
import { givesWay, planEvaluation, roomOf, turnMs, type RunningEvaluator } from "./plan-evaluations.ts";

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
    goesFirst: false,
    outcome: undefined,
    attempt: 1,
    interruptions: 0,
    reevaluated: false,
    ...more,
  };
}
const names = (works: readonly HostWork[]): string => works.map((each) => each.host).join("");
const letters = (repo: string, hosts: string, priority: RunningBuild["priority"] = "batch"): HostWork[] =>
  hosts.split("").map((host) => work(repo, host, priority));
const limits = { maxMemoryBytes: 4000, fullBytes: 1750 };
const options = { limits, mostHosts: 1000, lastServed: new Map<string, number>() };
const evaluator = (ahead: readonly HostWork[], more: Partial<RunningEvaluator> = {}): RunningEvaluator => ({
  repo: ahead[0]?.repo ?? parseRepoName("one"),
  commit: ahead[0]?.commit ?? parseCommit("a".repeat(40)),
  variant: ahead[0]?.variant,
  ahead,
  startedAt: 0,
  firstMs: undefined,
  beganAt: undefined,
  furtherMs: undefined,
  heldBytes: 0,
  growthBytes: 0,
  ...more,
});

const real = { firstMs: 3300, furtherMs: 2100, growthBytes: 930 };

test("interactive work comes first, then the repo that waited longest, then who asked first", () => {
  const [a, b] = letters("one", "ab");
  const [c, d] = [work("two", "c", "batch"), work("two", "d", "interactive")];
  if (a === undefined || b === undefined) throw new Error("no work");
  expect(names(planEvaluation([a, b, c, d], [], options, 0))).toBe("dc");
  const served = { ...options, lastServed: new Map([["one", 1]]) };
  expect(names(planEvaluation([a, b, c], [], served, 0))).toBe("c");
  expect(names(planEvaluation([b, a], [], options, 0))).toBe("ab");
  expect(planEvaluation([], [], options, 0)).toEqual([]);
});

test("one evaluator takes all hosts of a commit, but none with other overrides, and no more than the bound", () => {
  const variant = variantOf([someOverride()]);
  const waiting = [...letters("one", "abcd"), work("one", "e", "batch", { variant })];
  expect(names(planEvaluation(waiting, [], options, 0))).toBe("abcd");
  expect(names(planEvaluation(waiting, [], { ...options, mostHosts: 3 }, 0))).toBe("abc");
});

test("a host that waits twice, once to be evaluated again, is not twice in one evaluator", () => {
  expect(names(planEvaluation(letters("one", "aba"), [], options, 0))).toBe("ab");
});

test("a second evaluator comes towards the first, and a third begins between them", () => {
  const waiting = letters("one", "bcdefg");
  const second = planEvaluation(waiting, [evaluator(waiting)], options, 0);
  expect(names(second)).toBe("gfedcb");
  const left = waiting.slice(0, -1);
  expect(names(planEvaluation(left, [evaluator(left), evaluator(second.slice(1))], options, 0))).toBe("def");
});

test("a further evaluator comes only where what is left takes longer than to start over", () => {
  const waiting = letters("one", "bcdef");
  const slow = evaluator(waiting, { firstMs: 4000, furtherMs: 900 });
  expect(names(planEvaluation(waiting, [slow], options, 0))).toBe("fedcb");
  const quick = evaluator(waiting, { firstMs: 5000, furtherMs: 900 });
  expect(planEvaluation(waiting, [quick], options, 0)).toEqual([]);
  // With other work there, that is taken.
  expect(names(planEvaluation([...waiting, work("two", "z", "batch")], [quick], options, 0))).toBe("z");
});

test("what is left of the host that an evaluator has counts as well", () => {
  const waiting = letters("one", "c");
  const took = { firstMs: 3300, furtherMs: 2100 };
  const hasOne = { ...took, beganAt: 1000, heldBytes: 1150, growthBytes: 100 };
  expect(names(planEvaluation(waiting, [evaluator(waiting, hasOne)], options, 1500))).toBe("c");
  expect(planEvaluation(waiting, [evaluator(waiting, hasOne)], options, 2000)).toEqual([]);
  // Its first takes longer.
  const isNew = { ...took, beganAt: 1000 };
  expect(names(planEvaluation(waiting, [evaluator(waiting, isNew)], options, 3000))).toBe("c");
  expect(planEvaluation(waiting, [evaluator(waiting, isNew)], options, 3200)).toEqual([]);
});

test("nothing waits behind a host that is long overdue", () => {
  const waiting = letters("one", "c");
  const hangs = evaluator(waiting, { ...real, beganAt: 0, heldBytes: 1150, growthBytes: 100 });
  expect(planEvaluation(waiting, [hangs], options, 2100)).toEqual([]);
  expect(planEvaluation(waiting, [hangs], options, 3000)).toEqual([]);
  expect(names(planEvaluation(waiting, [hangs], options, 3400))).toBe("c");
});

test("what no evaluator is heading for gets one, whatever it costs", () => {
  const [b, ...rest] = letters("one", "bcd");
  const waiting = [...rest, ...(b === undefined ? [] : [b])];
  const quick = evaluator(rest, { firstMs: 5000, furtherMs: 1 });
  expect(names(planEvaluation(waiting, [quick], options, 0))).toBe("bdc");
});

test("a host that was too much beside others is the first of an evaluator, and two are not in one", () => {
  const waiting = letters("one", "abcd");
  for (const large of [waiting[1], waiting[3]]) if (large !== undefined) large.goesFirst = true;
  expect(names(planEvaluation(waiting, [], options, 0))).toBe("bac");
});

test("what somebody waits for does not wait behind batch work of the same evaluator", () => {
  const waiting = [...letters("one", "bc"), work("one", "x", "interactive")];
  const running = evaluator(waiting);
  expect(names(planEvaluation(waiting, [running], options, 0))).toBe("xcb");
});

test("an evaluator gives way to what somebody waits for, unless it comes to such a host itself", () => {
  const batch = evaluator(letters("one", "b"));
  const [interactive] = letters("two", "x", "interactive");
  expect(givesWay(batch, interactive, [batch], 0)).toBe(true);
  expect(givesWay(evaluator(letters("one", "b", "interactive")), interactive, [], 0)).toBe(false);
  expect(givesWay(batch, undefined, [batch], turnMs)).toBe(false);
});

test("an evaluator that had its turn gives way to a repo without a slot, and to no other", () => {
  const batch = evaluator(letters("one", "b"));
  const [other] = letters("two", "x");
  expect(givesWay(batch, other, [batch], turnMs - 1)).toBe(false);
  expect(givesWay(batch, other, [batch], turnMs)).toBe(true);
  expect(givesWay(batch, other, [batch, evaluator(letters("two", "y"))], turnMs)).toBe(false);
});

test("an evaluator is replaced when it holds much and beginning again costs little of what it did", () => {
  const two = evaluator(letters("one", "cd"), { ...real, heldBytes: 2070 });
  expect(roomOf(two, [two], limits, 5400)).toBe(0);
  const one = evaluator(letters("one", "cd"), {
    ...real,
    furtherMs: undefined,
    growthBytes: 0,
    heldBytes: 1150,
  });
  expect(roomOf(one, [one], limits, 3300)).toBe(1);
  // Most of the evaluation is shared.
  const shared = evaluator(letters("one", "cd"), {
    firstMs: 10_000,
    furtherMs: 500,
    heldBytes: 2000,
    growthBytes: 100,
  });
  expect(roomOf(shared, [shared], limits, 12_000)).toBe(20);
  expect(roomOf(shared, [shared], limits, 20_000)).toBe(0);
});

test("what one unusual first host took is not what starting over costs", () => {
  const first = evaluator(letters("one", "cd"), { firstMs: 20_000, furtherMs: 2100, heldBytes: 3000 });
  const other = evaluator(letters("one", "dc"), { ...real, heldBytes: 1150 });
  expect(roomOf(first, [first, other], limits, 22_000)).toBe(0);
});

test("between two hosts an evaluator still comes to the next one: no process begins anew for it", () => {
  const [last] = letters("one", "d");
  if (last === undefined) throw new Error("no work");
  const between = evaluator([last], { ...real, heldBytes: 1150 });
  expect(roomOf(between, [between], limits, 3300)).toBe(1);
  expect(names(planEvaluation([last], [between], options, 3300))).toBe("");
});

test("hosts that an evaluator will not come to, because it is full before, get another one now", () => {
  const waiting = letters("one", "cdef");
  const nearlyFull = evaluator(waiting, { ...real, heldBytes: 1150, beganAt: 5400 });
  expect(names(planEvaluation(waiting, [nearlyFull], options, 5400))).toBe("cdef");
  const roomy = evaluator(waiting, { ...real, heldBytes: 100, growthBytes: 700, beganAt: 5400 });
  // And then comes towards it.
  expect(names(planEvaluation(waiting, [roomy], options, 5400))).toBe("efdc");
});
