import { expect, test } from "vitest";
import { foldEvents, type HostState } from "../../protocol/build-state.ts";
import type { BuildEvent, EventBody } from "../../protocol/events.ts";
import {
  parseBuildId,
  parseBuilderName,
  parseHostName,
  parseRepoName,
  type StorePath,
} from "../../protocol/names.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { classifyHosts, decideOutcome, hostsToCompare, type HostClass } from "./decide-classes.ts";

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
    f: "built",
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

test("a host that fails has no verdict where it is unknown whether it did before, unless it is new", () => {
  const classes = classifyHosts(
    stateOf({ a: "build-failed", b: "eval-failed", c: "build-failed" }),
    knowledge(["a", "b"], { a: "infra-failed" }),
  );
  expect(Object.fromEntries(classes)).toEqual({ a: "infra", b: "infra", c: "regression" });
});

test("a host that is left out by configuration is not missing", () => {
  const skipped = [{ repo, host: "laptop", reason: "excluded by configuration" }];
  const candidate = { ...stateOf({ a: "built" }), skipped };
  expect(Object.fromEntries(classifyHosts(candidate, knowledge(["a", "laptop"])))).toEqual({ a: "ok" });
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
  // Theirs to fix, although policy here blocks.
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

test("where the hosts could not be listed none of them is gone", () => {
  const reason = "the hosts of commit aaaaaaaaaaaa cannot be listed: hosts.nix:3:6: syntax error";
  const event: BuildEvent = {
    build,
    epoch: 1,
    index: 0,
    at: "2026-11-23T14:00:00Z",
    type: "finished",
    verdict: "failed",
    reason,
    durationMs: 1,
  };
  const classes = classifyHosts(foldEvents(build, [event]), knowledge(["a", "b"]));
  expect(Object.fromEntries(classes)).toEqual({ a: "eval-error", b: "eval-error" });
});
