import { expect, test } from "vitest";
import { hostRef, sampleCommit, scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { aBuildId, anUpdateEvent, aStatus } from "../../../test/support/builds.ts";
import { parseBranchName, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { hostResultsOf, summaryOf, type HostResult } from "../../protocol/results.ts";
import { renderStatus } from "../print/pages/status-page.ts";
import { plainStyle } from "../print/style.ts";
import { findProblems, type FleetStatus } from "./fleet-status.ts";
import { stillThere } from "./read-status.ts";

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
  ["a host without a builder for its system", { hosts: [resultOf({ verdict: "skipped" })] }, []],
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
  ["a host that fails", { hosts: [resultOf({})] }, ["1 host fails"]],
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
