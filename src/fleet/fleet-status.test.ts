import { expect, test } from "vitest";
import { hostRef, sampleCommit, scriptBuild, type BuildScript } from "../../test/support/build-events.ts";
import { aBuildId, anUpdateEvent, aStatus } from "../../test/support/builds.ts";
import { parseBranchName, parseHostName, parseRepoName } from "../protocol/names.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { hostResultsOf, mergeHostResults, summaryOf, type HostResult } from "../protocol/results.ts";
import { playRollout } from "../../test/support/played-rollout.ts";
import { aRolloutId } from "../../test/support/rollout-events.ts";
import type { Rollout } from "../protocol/rollout/rollout.ts";
import { renderStatus } from "../cli/print/pages/status-page.ts";
import { plainStyle } from "../cli/print/style.ts";
import type { RunningHost } from "./running-hosts.ts";
import { findProblems, type FleetStatus } from "./fleet-status.ts";
import { lastOfEach, onBranch, stillThere } from "./newest-results.ts";

const now = new Date("2026-11-23T15:00:00Z");
const repo = hostRef("web01").repo;
const gib = 1024 ** 3;
const here = {
  ...aStatus("cache01", "2026-11-23T14:59:50Z"),
  repos: [repo],
  disk: { availableBytes: 100 * gib, totalBytes: 400 * gib },
};
const gone = { ...aStatus("old", "2026-11-20T12:00:00Z"), repos: [repo] };
const sources = [{ repo, commit: sampleCommit, branch: parseBranchName("main") }];

const later = () => newBuildId(now);
const deployedAs = (type: "last-failed" | "rollback-failed" | "drift"): RunningHost => ({
  repo: parseRepoName("servers"),
  host: parseHostName("web01"),
  conditions: [
    type === "last-failed"
      ? { type, outcome: "rolled-back" }
      : type === "drift"
        ? { type, what: ["profile"] }
        : { type },
  ],
});
const halted = (second: number): Rollout =>
  playRollout({}, { id: aRolloutId(second) })
    .add(9, { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed" })
    .rollout();
const ended = (...hosts: string[]): BuildScript =>
  scriptBuild(later())
    .accepted(hosts, { sources, complete: true })
    .hostsFinished("built", hosts)
    .finished("succeeded");
const well: FleetStatus = {
  builders: [here, gone],
  queue: { waiting: 0, targets: [] },
  running: [],
  last: [{ repo, build: summaryOf(ended("web01").state) }],
  hosts: hostResultsOf(ended("web01").state),
  deployed: [],
  rollouts: [],
  updates: [],
  cache: undefined,
};
const resultOf = (more: Partial<HostResult>): HostResult => ({
  ...hostRef("web01"),
  verdict: "build-failed",
  build: aBuildId(),
  ...more,
});
const noHosts = summaryOf(
  scriptBuild(aBuildId()).accepted([], { sources }).finished("failed", "syntax error").state,
);

test.each<[string, Partial<FleetStatus>, readonly string[]]>([
  ["a builder that is gone while another has its repos", {}, []],
  ["requests that wait", { queue: { waiting: 900, targets: [] } }, []],
  ["a proposal that waits for a person", { updates: [{ ...anUpdateEvent, outcome: "proposed" }] }, []],
  ["no builder", { builders: [gone] }, ["no builder is here"]],
  ["never a builder", { builders: [] }, ["no builder was ever here"]],
  [
    "a repo that nobody serves",
    { builders: [here, { ...gone, repos: [parseRepoName("laptops")] }] },
    ["no builder for laptops is here"],
  ],
  [
    "a full disk",
    { builders: [{ ...here, disk: { availableBytes: 19 * gib, totalBytes: 400 * gib } }] },
    ["the disk of cache01 is almost full"],
  ],
  [
    "hosts whose last deploy failed",
    { deployed: [deployedAs("last-failed"), deployedAs("rollback-failed"), deployedAs("drift")] },
    ["1 host could not roll back", "the last deploy of 1 host failed"],
  ],
  [
    "halted rollouts",
    { rollouts: [halted(0), halted(1), playRollout({}, { id: aRolloutId(2) }).rollout()] },
    ["2 rollouts of servers are halted"],
  ],
  ["a halted rollout", { rollouts: [halted(0)] }, ["a rollout of servers is halted"]],
  ["a host that fails", { hosts: [resultOf({})] }, ["1 host fails"]],
  [
    "a host without a builder for its system",
    { hosts: [resultOf({ verdict: "skipped" })] },
    ["1 host has no builder for its system"],
  ],
  [
    "faults and bugs, apart",
    {
      hosts: [
        resultOf({ verdict: "infra-failed" }),
        resultOf({ verdict: "infra-failed" }),
        resultOf({ verdict: "infra-failed", code: "INTERNAL" }),
      ],
    },
    [
      "2 hosts without a verdict because of an infrastructure fault",
      "1 host without a verdict because of a bug in homelab-deploy",
    ],
  ],
  [
    "a flake that does not evaluate",
    { last: [{ repo, build: noHosts }] },
    [`the hosts of ${repo} could not be listed`],
  ],
  [
    "a failed update",
    { updates: [{ ...anUpdateEvent, outcome: "failed" }] },
    ["the last update of servers failed"],
  ],
  [
    "a silent cache",
    { cache: { url: "http://cache.lan:5000", reason: "connection refused" } },
    ["the cache does not answer"],
  ],
])("%s", (_, change, problems) => {
  expect(findProblems({ ...well, ...change }, now)).toEqual(problems);
});

test("a host that a later build of all hosts did not find is not missed", () => {
  const before = hostResultsOf(
    scriptBuild(newBuildId(new Date("2026-11-23T10:00:00Z")))
      .accepted(["old", "web01"])
      .hostsFinished("build-failed", ["old", "web01"]).state,
  );
  const names = (state: BuildScript) => stillThere(before, [state.state]).map(({ host }) => host);
  expect(names(ended("web01"))).toEqual(["web01"]);
  // Only some were asked for; or no branch, which may be an old commit.
  expect(names(scriptBuild(later()).accepted(["web01"], { sources }))).toEqual(["old", "web01"]);
  const atCommit = [{ repo, commit: sampleCommit }];
  expect(names(scriptBuild(later()).accepted(["web01"], { sources: atCommit, complete: true }))).toEqual([
    "old",
    "web01",
  ]);
});

test("a build of a commit on no branch tells nothing of the branch", () => {
  const good = ended("web01");
  const aside = scriptBuild(newBuildId(new Date(now.getTime() + 1000)))
    .accepted(["web01"], { sources: [{ repo, commit: sampleCommit, tip: false }] })
    .hostsFinished("build-failed", ["web01"])
    .finished("failed");
  const rows = mergeHostResults([good, aside].flatMap(({ state }) => hostResultsOf(state)));
  expect(rows).toMatchObject([{ verdict: "build-failed" }]);
  expect(rows.flatMap(onBranch)).toMatchObject([{ verdict: "built", build: good.id }]);
  expect(hostResultsOf(aside.state).flatMap(onBranch)).toEqual([]);
  expect(lastOfEach([aside, good].map(({ state }) => summaryOf(state)))).toMatchObject([
    { repo, build: { id: good.id } },
  ]);
});

test("the fleet on one screen", () => {
  const running = scriptBuild(aBuildId()).accepted(["web01", "db"], { sources, requestedBy: "kai@desk" });
  const status: FleetStatus = {
    ...well,
    queue: {
      waiting: 3,
      oldestAt: new Date("2026-11-23T14:56:00Z"),
      targets: [
        { target: { repo, host: "all" }, count: 2 },
        { target: { repo: "any", host: hostRef("db").host }, count: 1 },
      ],
    },
    running: [{ build: summaryOf(running.hostsFinished("built", ["db"]).state), done: 1 }],
    hosts: [
      resultOf({
        reason: "hello\u001b[2J",
        failsSince: "2026-11-23T12:00:00Z",
        commit: sampleCommit,
      }),
    ],
    updates: [
      {
        ...anUpdateEvent,
        at: "2026-11-23T03:00:00Z",
        outcome: "proposed",
        reason: "web01 does not build",
        pullRequests: [{ number: 7, createdAt: "2026-11-23T03:00:00Z" }],
      },
    ],
    cache: {
      url: "http://cache.lan:5000",
      info: { storeDirectory: "/nix/store", wantMassQuery: true },
      latencyMs: 1.23,
    },
  };
  const page = renderStatus(status, findProblems(status, now), { style: plainStyle, now });
  expect(page.replaceAll(/01[0-9A-Z]{24}/g, "ID")).toMatchInlineSnapshot(`
    "✗ 1 host fails

    Builders
      Name     Is                    Builds  Disk free           Version  Repos
      cache01  ✓ here                     0  100 GiB of 400 GiB  0.1.0    nixos-servers
      old      ! gone, seen 3 d ago                              0.1.0    nixos-servers

    Queue  3 requests wait for a builder, the oldest for 4m00s: nixos-servers/all (2), any/db

    Running
      Build                       Hosts        Time  Builder  Source                 By
      ID  1/2 done  51m02s+  cache    nixos-servers@9c41e7f  kai@desk

    Last builds
      Repo           Result       When        Hosts  Commit   Build
      nixos-servers  ✓ succeeded  51 min ago  1/1    9c41e7f  ID

    Failing hosts
      Host                 Last result     Fails since  Commit   Because
      nixos-servers/web01  ✗ build failed  3 h ago      9c41e7f  hello

    Updates
      Repo     Outcome   When      Open pull requests  Because
      servers  proposed  12 h ago  #7                  web01 does not build

    Cache  http://cache.lan:5000  ✓ answers in 1.2 ms
    "
  `);
});
