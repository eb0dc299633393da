import { expect, test } from "vitest";
import { hostRef, sampleCommit, scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import type { ToldFailures } from "../../protocol/branch-news.ts";
import { parseBuildId } from "../../protocol/names.ts";
import { hostResultsOf, mergeHostResults, type HostResult } from "../../protocol/results.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { assumeTold, branchBuildsOf, decideNews } from "./decide-news.ts";

const { repo } = hostRef("web01");
const nothing: ToldFailures = { repo, failing: [] };
const id = (number: number) => parseBuildId(`01JDB3K2M4N5P6Q7R8S9T0${String(1000 + number)}`);

interface Ended {
  readonly tip?: boolean;
  readonly complete?: boolean;
}

/** A build of the tip with these verdicts. */
function ended(
  number: number,
  verdicts: Readonly<Record<string, HostVerdict>>,
  more: Ended = {},
): BuildScript {
  const { tip = true, complete = true } = more;
  const hosts = Object.keys(verdicts);
  const script = scriptBuild(id(number))
    .wait(number * 1000)
    .accepted(hosts, { sources: [{ repo, commit: sampleCommit, tip }], complete });
  for (const [host, verdict] of Object.entries(verdicts)) script.hostsFinished(verdict, [host]);
  return script.finished("failed");
}

/** What is told build by build, each with the rows as they are then. */
function tell(builds: readonly BuildScript[], from: ToldFailures = nothing): readonly string[] {
  const said: string[] = [];
  let told = from;
  let rows: readonly HostResult[] = [];
  for (const { state } of builds) {
    rows = mergeHostResults([...rows, ...hostResultsOf(state)]);
    for (const build of branchBuildsOf(state)) {
      const decided = decideNews(told, build, rows);
      told = decided.told;
      const { news } = decided;
      if (news === undefined) continue;
      const failing = news.failing.hosts.map(({ host }) => `-${host}`);
      const listing = news.unlisted === undefined ? [] : [news.unlisted === null ? "+listed" : "-listed"];
      said.push([...failing, ...news.mended.hosts.map((host) => `+${host}`), ...listing].join(" "));
    }
  }
  return said;
}

test.each<[string, readonly BuildScript[], readonly string[]]>([
  ["nothing while all is well", [ended(1, { a: "built" }), ended(2, { a: "unchanged" })], []],
  [
    "a change once, however many builds show it",
    [
      ended(1, { a: "built" }),
      ended(2, { a: "build-failed" }),
      ended(3, { a: "eval-failed" }),
      ended(4, { a: "built" }),
      ended(5, { a: "unchanged" }),
    ],
    ["-a", "+a"],
  ],
  [
    "nothing of the infrastructure, which neither starts nor ends a failure",
    [
      ended(1, { a: "infra-failed", b: "build-failed" }),
      ended(2, { a: "skipped", b: "infra-failed" }),
      ended(3, { a: "cancelled", b: "timed-out" }),
    ],
    ["-b"],
  ],
  [
    "nothing of a commit that is not the tip",
    [
      ended(1, { a: "build-failed" }),
      ended(2, { a: "built", b: "build-failed" }, { tip: false }),
      ended(3, { a: "build-failed" }, { complete: false }),
    ],
    ["-a"],
  ],
  [
    "nothing of an older build that ends later",
    [ended(2, { a: "built" }), ended(1, { a: "build-failed" })],
    [],
  ],
  [
    "nothing of a host that was removed, and that it fails when it is back",
    [ended(1, { a: "build-failed", b: "built" }), ended(2, { b: "built" }), ended(3, { a: "build-failed" })],
    ["-a", "-a"],
  ],
  [
    "that a host still fails to nobody, when only others were built",
    [
      ended(1, { a: "build-failed", b: "built" }),
      ended(2, { b: "built" }, { complete: false }),
      ended(3, { a: "build-failed", b: "build-failed" }),
    ],
    ["-a", "-b"],
  ],
])("people are told %s", (_, builds, said) => {
  expect(tell(builds)).toEqual(said);
});

test("a flake that cannot be evaluated is told once, and that it can again", () => {
  const unlisted = (number: number): BuildScript =>
    scriptBuild(id(number)).event({
      type: "finished",
      verdict: "failed",
      reason: "syntax error",
      durationMs: 1,
      sources: [{ repo, commit: sampleCommit, tip: true }],
    });
  expect(tell([ended(1, { a: "built" }), unlisted(2), unlisted(3), ended(4, { a: "built" })])).toEqual([
    "-listed",
    "+listed",
  ]);
  expect(tell([ended(4, { a: "built" }), unlisted(3)])).toEqual([]);
});

test("what failed before anybody was told is no news, and what starts with the build is", () => {
  const builds = [ended(1, { a: "build-failed" }), ended(2, { a: "build-failed", b: "timed-out" })];
  const rows = mergeHostResults(builds.flatMap(({ state }) => hostResultsOf(state)));
  const [build] = builds[1] === undefined ? [] : branchBuildsOf(builds[1].state);
  if (build === undefined) throw new Error("it is a build of the branch");
  const told = assumeTold(build, rows);
  expect(told.failing).toEqual(["a"]);
  expect(decideNews(told, build, rows)).toMatchObject({
    told: { failing: ["a", "b"] },
    news: { failing: { count: 1, hosts: [{ host: "b", verdict: "timed-out" }] }, stillFailing: 1 },
  });
});

test("what a row cannot hold is left out, and what a message cannot hold is counted", () => {
  const names = Array.from({ length: 700 }, (_, index) => `${"h".repeat(120)}${index}`);
  const { state } = ended(1, Object.fromEntries(names.map((name) => [name, "build-failed"])));
  const [build] = branchBuildsOf(state);
  if (build === undefined) throw new Error("it is a build of the branch");
  const { told, news } = decideNews(nothing, build, hostResultsOf(state));
  expect(JSON.stringify(told).length).toBeLessThan(64 * 1024);
  expect(told.failing.length).toBeGreaterThan(400);
  expect(news?.failing.count).toBe(700);
  expect(news?.failing.hosts.length).toBe(50);
});
