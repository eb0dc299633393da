import { expect, test } from "vitest";
import { foldEvents, type HostState } from "../protocol/build-state.ts";
import type { BuildEvent, EventBody } from "../protocol/events.ts";
import {
  parseBranchName,
  parseBuildId,
  parseBuilderName,
  parseCommit,
  parseHostName,
  parseRepoName,
  type StorePath,
} from "../protocol/names.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import { isOurCommit, updateMessage } from "./commit-message.ts";
import { branchOfDay, chooseBranch, isForgotten } from "./branch/decide-branch.ts";
import { classifyHosts, decideOutcome, hostsToCompare, type HostClass } from "./judge/decide-classes.ts";
import { isFree } from "./lease.ts";
import { parseJournal } from "./journal.ts";

const repo = parseRepoName("fleet");
const build = parseBuildId("01JD0000000000000000000000");
const drv = (name: string): StorePath => `/nix/store/${"0".repeat(32)}-${name}.drv` as StorePath;

function stateOf(
  verdicts: Readonly<Record<string, HostVerdict>>,
  drvs: Readonly<Record<string, string>> = {},
) {
  const hosts = Object.keys(verdicts).map((host) => ({ repo, host: parseHostName(host) }));
  const bodies: EventBody[] = [
    {
      type: "accepted",
      builder: parseBuilderName("b"),
      priority: "batch",
      trigger: "update",
      sources: [],
      hosts,
      skipped: [],
    },
    {
      type: "evaluated",
      durationMs: 1,
      hosts: hosts.map((ref) => ({
        ...ref,
        drvPath: drv(drvs[ref.host] ?? ref.host),
        outPath: drv("out"),
        remembered: false,
      })),
    },
    {
      type: "hosts-finished",
      hosts: hosts.map((ref) => ({ ...ref, verdict: verdicts[ref.host] ?? "built", durationMs: 1 })),
    },
  ];
  return foldEvents(
    build,
    bodies.map((body, index): BuildEvent => ({
      build,
      epoch: 1,
      index,
      at: "2026-11-23T14:00:00Z",
      ...body,
    })),
  );
}

const knowledge = (inventory: readonly string[], verdicts: Readonly<Record<string, HostVerdict>> = {}) => ({
  inventory,
  hosts: new Map<string, HostState>([...stateOf(verdicts).hosts.values()].map((host) => [host.host, host])),
});

test("each host is compared with what it was before", () => {
  const candidate = stateOf({
    a: "built",
    b: "unchanged",
    c: "build-failed",
    d: "build-failed",
    e: "eval-failed",
    f: "timed-out",
    g: "infra-failed",
    h: "built",
  });
  const base = knowledge(["a", "b", "c", "d", "e", "f", "g", "h", "gone"], {
    d: "build-failed",
    e: "eval-failed",
    h: "eval-failed",
    c: "built",
  });
  expect(Object.fromEntries(classifyHosts(candidate, base))).toEqual({
    a: "ok",
    b: "unchanged",
    c: "regression",
    d: "pre-existing",
    e: "pre-existing",
    f: "regression",
    g: "infra",
    h: "fixed",
    gone: "missing-host",
  });
  expect(hostsToCompare(candidate)).toEqual(["c", "d", "e", "f"]);
});

test("a host that the base cannot be asked about counts as broken by the update", () => {
  const classes = classifyHosts(
    stateOf({ a: "build-failed", b: "eval-failed" }),
    knowledge(["a", "b"], { a: "infra-failed" }),
  );
  expect(Object.fromEntries(classes)).toEqual({ a: "regression", b: "eval-error" });
});

test.each<[readonly HostClass[], "block" | "allow", string]>([
  [["ok", "unchanged", "fixed"], "block", "land"],
  [["ok", "pre-existing"], "block", "propose needs-review"],
  [["ok", "pre-existing"], "allow", "land"],
  [["regression", "pre-existing"], "allow", "propose build-failure"],
  [["ok", "eval-error"], "block", "propose build-failure"],
  [["ok", "missing-host"], "allow", "propose build-failure"],
  [["ok", "infra"], "allow", "infra"],
  [["regression", "infra"], "block", "infra"],
  [[], "block", "infra"],
])("%j with %s: %s", (classes, preExisting, expected) => {
  const outcome = decideOutcome(new Map(classes.map((hostClass, i) => [`h${i}`, hostClass])), {
    preExisting,
  });
  expect(outcome.type === "propose" ? `${outcome.type} ${outcome.label}` : outcome.type).toBe(expected);
});

test.each<[boolean, HostClass[], string]>([
  [true, ["ok", "unchanged", "fixed"], "land"],
  [true, ["ok", "regression"], "propose build-failure nixos/h1"],
  [true, ["missing-host"], "propose build-failure nixos/h0"],
  [true, ["regression", "infra"], "infra nixos/h1"],
  [true, [], "infra "],
  // Theirs to mend, although policy here blocks.
  [true, ["ok", "pre-existing"], "land"],
  [false, ["regression", "eval-error", "infra", "pre-existing"], "land"],
  [false, [], "land"],
])("downstream, required %s, %j: %s", (required, classes, expected) => {
  const theirs = new Map(classes.map((hostClass, i) => [`h${i}`, hostClass]));
  const outcome = decideOutcome(new Map([["own", "ok"]]), { preExisting: "block" }, [
    { repo: "nixos", required, classes: theirs },
  ]);
  const { hosts, label } = { hosts: undefined, label: undefined, ...outcome };
  expect([outcome.type, label, hosts?.join()].filter((part) => part !== undefined).join(" ")).toBe(expected);
});

test("what breaks here and downstream is named together", () => {
  const own = new Map<string, HostClass>([["own", "regression"]]);
  const nixos = {
    repo: "nixos",
    required: true,
    classes: new Map<string, HostClass>([["gunter", "eval-error"]]),
  };
  expect(decideOutcome(own, { preExisting: "block" }, [nixos])).toEqual({
    type: "propose",
    label: "build-failure",
    hosts: ["own", "nixos/gunter"],
  });
});

const [ours, theirs] = [parseCommit("a".repeat(40)), parseCommit("b".repeat(40))];
const day = branchOfDay(new Date("2026-11-22T23:59:59Z"));
const named = (suffix: string) => parseBranchName(`${day}${suffix}`);

test("the branch of the day is made, taken over or left alone", () => {
  expect(day).toBe("flake-update/2026-11-22");
  expect(chooseBranch(day, ours, [])).toEqual({ type: "push", name: day, from: undefined });
  expect(chooseBranch(day, ours, [{ name: day, tip: ours, isOurs: true }])).toEqual({
    type: "adopt",
    name: day,
  });
  const before = parseBranchName("flake-update/2026-11-15-2");
  expect(chooseBranch(day, ours, [{ name: before, tip: ours, isOurs: false }])).toEqual({
    type: "adopt",
    name: before,
  });
  const foreign = parseBranchName("flake-update/experiment");
  expect(chooseBranch(day, ours, [{ name: foreign, tip: ours, isOurs: true }])).toMatchObject({
    type: "push",
    name: day,
  });
  expect(chooseBranch(day, ours, [{ name: day, tip: theirs, isOurs: true }])).toEqual({
    type: "push",
    name: day,
    from: theirs,
  });
  expect(chooseBranch(day, ours, [{ name: day, tip: theirs, isOurs: false }])).toEqual({
    type: "push",
    name: named("-2"),
    from: undefined,
  });
  expect(
    chooseBranch(day, ours, [
      { name: day, tip: theirs, isOurs: false },
      { name: named("-2"), tip: theirs, isOurs: true },
    ]),
  ).toEqual({ type: "push", name: named("-2"), from: theirs });
});

test.each<[string, string, Partial<{ isOurs: boolean }>, string[], boolean]>([
  ["of a day that is over", "flake-update/2026-11-22", {}, [], true],
  ["a second one of that day", "flake-update/2026-11-22-2", {}, [], true],
  ["with a pull request", "flake-update/2026-11-22", {}, ["flake-update/2026-11-22"], false],
  ["with work of people", "flake-update/2026-11-22", { isOurs: false }, [], false],
  ["of today", "flake-update/2026-11-23", {}, [], false],
  ["that a person named", "flake-update/mine", {}, [], false],
  ["of no day", "flake-update/2026-19-39", {}, [], false],
])("a branch %s", (_name, name, changed, needed, expected) => {
  const found = { name: parseBranchName(name), tip: theirs, isOurs: true, ...changed };
  expect(isForgotten(found, new Set(needed), new Date("2026-11-23T01:00:00Z"))).toBe(expected);
  expect(isForgotten(found, new Set(needed), new Date("2026-11-23T00:59:00Z"))).toBe(false);
});

test("our commits are bounded and known again, and an input's name cannot speak to a forge", () => {
  const inputs = Array.from({ length: 40 }, (_, i) => `input-${i}`);
  const message = updateMessage({
    base: ours,
    inputs: [...inputs, "[skip ci] @all #1"],
    details: ["a: 1 → 2\n#5 closes"],
  });
  expect(message.split("\n")[0]?.length).toBeLessThanOrEqual(72);
  expect(message).not.toMatch(/[@#[\]]/);
  expect(isOurCommit({ message, authorEmail: "bot@x" }, "bot@x")).toBe(true);
  expect(isOurCommit({ message, authorEmail: "kai@x" }, "bot@x")).toBe(false);
  expect(isOurCommit({ message: "flake.lock: update", authorEmail: "bot@x" }, "bot@x")).toBe(false);
});

test("a lease is free when it has expired, or when its process of this machine is gone", () => {
  const holder = {
    run: "r",
    machine: "cache01",
    pid: 7,
    trigger: "timer",
    expiresAt: "2026-11-23T15:00:00Z",
  };
  const at = (time: string, machine: string, alive: boolean) =>
    isFree(holder, {
      self: { run: "s", machine, pid: 1, trigger: "ci" },
      isAlive: () => alive,
      clock: { now: () => new Date(time), monotonic: () => 0, sleep: async () => undefined },
    });
  expect(at("2026-11-23T14:00:00Z", "cache01", true)).toBe(false);
  expect(at("2026-11-23T14:00:00Z", "cache01", false)).toBe(true);
  expect(at("2026-11-23T14:00:00Z", "laptop", false)).toBe(false);
  expect(at("2026-11-23T15:00:00Z", "laptop", true)).toBe(true);
});

test("nothing behind a damaged line of the journal counts", () => {
  const good = JSON.stringify({ step: "ended", outcome: "landed" });
  expect(parseJournal(`${good}\n{"step":"land`)).toEqual([{ step: "ended", outcome: "landed" }]);
  expect(parseJournal(`${good}\nnonsense\n${good}\n`)).toHaveLength(1);
  expect(parseJournal("")).toEqual([]);
});
