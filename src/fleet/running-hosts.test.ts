import { expect, test } from "vitest";
import { somePath, someSigner, someStatement } from "../../test/support/deploy-orders.ts";
import { someHostState } from "../../test/support/fake-deploy-bus.ts";
import {
  parseBranchName,
  parseBuildId,
  parseCommit,
  parseHostName,
  parseRepoName,
} from "../protocol/names.ts";
import type { BuildSummary, HostResult } from "../protocol/results.ts";
import { signStatement } from "../signing/sign-envelope.ts";
import { runningHosts, type HostCondition, type RunningFacts } from "./running-hosts.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const repo = parseRepoName("nixos-servers");
const build = parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W2");

const rowOf = (host: string): HostResult => ({
  repo,
  host: parseHostName(host),
  verdict: "built",
  build,
  stated: { build, ...signStatement(someStatement({ host }), someSigner("builder")) },
});
const builtAt = (digit: string): BuildSummary => ({
  id: build,
  events: 1,
  status: "succeeded",
  hosts: { total: 1, success: 1 },
  sources: [{ repo, branch: parseBranchName("master"), commit: parseCommit(digit.repeat(40)) }],
});
const facts = (more: Partial<RunningFacts> = {}): RunningFacts => ({
  rows: [rowOf("web01")],
  states: [someHostState()],
  holdOf: () => undefined,
  builds: [],
  ...more,
});
const conditionsOf = (changes: object): readonly HostCondition[] =>
  runningHosts(facts({ states: [someHostState(changes)] }), now)[0]?.conditions ?? [];

test.each<[string, object, string[]]>([
  ["a host that is well", {}, ["ok"]],
  ["a host that went silent", { at: "2026-11-29T11:50:00.000Z" }, ["absent"]],
  [
    "a host that went back",
    { last: { outcome: "rolled-back", code: "UNHEALTHY", at: "2026-11-29T12:00:00.000Z" } },
    ["last-failed"],
  ],
  [
    "a host that is stuck",
    { last: { outcome: "rollback-failed", at: "2026-11-29T12:00:00.000Z" }, drift: ["profile"] },
    ["rollback-failed", "drift"],
  ],
  ["a host that waits for a boot", { reboot: { needed: ["kernel"] } }, ["reboot-needed"]],
  ["a host with failed units", { failedUnits: ["gitea.service"] }, ["failed-units"]],
  ["a held host in migration", { hold: "the fair", migration: true }, ["held", "reporting"]],
  ["a host whose clock is wrong", { clock: { ok: false } }, ["clock-wrong"]],
])("%s", (_, changes, types) => {
  expect(conditionsOf(changes).map(({ type }) => type)).toEqual(types);
});

test.each<[string, object, readonly BuildSummary[], number | undefined]>([
  ["what was stated runs", { running: { path: somePath("new") } }, [], 0],
  [
    "two newer commits were built",
    { running: { path: somePath("old"), commit: "a".repeat(40) } },
    [builtAt("c"), builtAt("c"), builtAt("b"), builtAt("a")],
    2,
  ],
  ["nobody knows the commit that runs", { running: { path: somePath("old") } }, [builtAt("c")], undefined],
  ["the commit that runs is of no stored build", {}, [builtAt("c")], undefined],
])("behind: %s", (_, changes, builds, behind) => {
  expect(runningHosts(facts({ states: [someHostState(changes)], builds }), now)[0]?.behind).toBe(behind);
});
