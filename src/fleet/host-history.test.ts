import { expect, test } from "vitest";
import { parseBranchName, parseCommit, parseHostName, parseRepoName } from "../protocol/names.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import { hostRef, scriptBuild } from "../../test/support/build-events.ts";
import { aBuildId, anUpdateEvent } from "../../test/support/builds.ts";
import { renderHost } from "../cli/print/pages/host-page.ts";
import { plainStyle } from "../cli/print/style.ts";
import { composeHistory, findBreakage, type HostBuild } from "./host-history.ts";

const main = parseBranchName("main");
const { repo, host } = hostRef("web01");
const commitOf = (digit: string) => parseCommit(digit.repeat(40));

/** Newest first, an hour apart: `verdict commit`. */
const builds = (...said: readonly (readonly [HostVerdict | undefined, string, string?])[]): HostBuild[] =>
  said.map(([verdict, digit, branch = "main"], index) => ({
    build: aBuildId(),
    at: new Date(Date.UTC(2026, 10, 23, 12 - index)).toISOString(),
    commit: commitOf(digit),
    ...(branch === "" ? {} : { branch }),
    ...(verdict === undefined ? {} : { verdict }),
  }));

const landed = (digit: string, hour: number, ...inputs: string[]): UpdateEvent => ({
  ...anUpdateEvent,
  repo,
  outcome: "landed",
  commit: commitOf(digit),
  at: new Date(Date.UTC(2026, 10, 23, hour, 30)).toISOString(),
  inputs,
});

test("the first bad commit is the oldest since the last success, with the inputs that moved in between", () => {
  const history = builds(
    [undefined, "f"],
    ["build-failed", "e"],
    ["infra-failed", "d"],
    ["eval-failed", "c"],
    ["built", "b"],
    ["build-failed", "a"],
  );
  // Accepted at 9: its commit landed shortly before.
  const updates = [landed("a", 6, "old"), landed("c", 8, "nixpkgs"), landed("e", 10, "later")];
  expect(findBreakage(history, updates)).toMatchObject({
    first: { commit: commitOf("c") },
    lastGood: { commit: commitOf("b") },
    inputs: ["nixpkgs"],
  });
});

test.each<[string, HostBuild[]]>([
  ["succeeds", builds(["unchanged", "c"], ["build-failed", "b"])],
  ["had only faults of others", builds(["infra-failed", "c"], ["cancelled", "b"], ["built", "a"])],
  ["failed on another branch", builds(["built", "c"], ["build-failed", "b", "update"])],
  ["failed at a commit of no branch", builds(["build-failed", "b", ""], ["built", "a"])],
])("a host that %s is not broken", (_, history) => {
  expect(findBreakage(history, [])).toBeUndefined();
});

test("where both builds tell their inputs, the locks are compared, whoever changed them", () => {
  const input = { input: "nixpkgs", source: "github:NixOS/nixpkgs" };
  const locked = (rev: string): Pick<HostBuild, "inputs"> => ({ inputs: [{ ...input, rev }] });
  const [bad, good] = builds(["build-failed", "b"], ["built", "a"]);
  const told = (young: string, old: string) => [
    { ...bad, ...locked(young) } as HostBuild,
    { ...good, ...locked(old) } as HostBuild,
  ];
  expect(findBreakage(told("2", "1"), [])).toMatchObject({ inputs: ["nixpkgs"] });
  expect(findBreakage(told("1", "1"), [landed("b", 11, "tools")])).toMatchObject({ inputs: [] });
});

test("where no build is old enough, nobody claims to know the first bad commit", () => {
  const history = builds(["build-failed", "c"], ["build-failed", "b"]);
  expect(findBreakage(history, [landed("b", 1, "nixpkgs")])).toEqual({ first: history[1] });
});

test("one host on a page", () => {
  const good = scriptBuild(aBuildId())
    .accepted(["web01"], { sources: [{ repo, commit: commitOf("a"), branch: main }] })
    .hostsFinished("built", ["web01"], { durationMs: 61_000 })
    .finished("succeeded");
  const bad = scriptBuild(aBuildId())
    .wait(3_600_000)
    .accepted(["web01"], { sources: [{ repo, commit: commitOf("b"), branch: main }] })
    .hostsFinished("build-failed", ["web01"], { durationMs: 5000, reason: "hello-1.0: exit code 1" })
    .finished("failed");
  const override = scriptBuild(aBuildId()).accepted(["web01"], {
    sources: [{ repo, commit: commitOf("c"), overrides: [] }],
  });
  const measured: UpdateEvent = {
    ...landed("a", 1),
    effect: {
      hosts: [
        {
          host: "web01",
          reboot: [],
          closureSize: 4 * 1024 ** 3,
          sizeDelta: -(1024 ** 2),
          packages: [],
          packageCount: 0,
        },
      ],
      changed: 1,
      unchanged: 0,
      unknown: [],
    },
  };
  const history = composeHistory(
    { repo, host },
    { builds: [override.state, bad.state, good.state], updates: [measured] },
  );
  const page = renderHost(history, { style: plainStyle, now: new Date("2026-11-23T20:00:00Z") });
  expect(page.replaceAll(/01[0-9A-Z]{24}/g, "ID")).toMatchInlineSnapshot(`
    "nixos-servers/web01
    Fails       since bbbbbbb, built 4 h ago; aaaaaaa was the last that succeeded
    Inputs      which inputs changed between aaaaaaa and bbbbbbb is not known
    Build time  usually 1m01s (1 build that built it)
    Closure     4.0 GiB, -1.0 MiB by the update of 18 h ago

    Build                       Result          When      Time  Commit   Branch  Because
    ID  ✗ build failed  4 h ago     5s  bbbbbbb  main    hello-1.0: exit code 1
    ID  ✓ built         5 h ago  1m01s  aaaaaaa  main
    "
  `);
});

test("a host of another repo or name has no builds", () => {
  const { state } = scriptBuild().accepted(["web01"]).hostsFinished("built", ["web01"]);
  const none = composeHistory(
    { repo: parseRepoName("other"), host: parseHostName("web01") },
    { builds: [state], updates: [] },
  );
  expect(none).toMatchObject({ builds: [], breakage: undefined, usual: undefined });
});
