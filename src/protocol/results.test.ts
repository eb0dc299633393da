import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild } from "../../test/support/build-events.ts";
import { someOverride } from "../../test/support/overrides.ts";
import { someSigner, someStatement } from "../../test/support/deploy-orders.ts";
import { signStatement } from "../signing/sign-envelope.ts";
import { foldEvents, type BuildState } from "./build-state.ts";
import { parseBuildId, parseRepoName } from "./names.ts";
import {
  buildResultOf,
  decodeBuildResult,
  decodeHostResult,
  encodeBuildResult,
  encodeHostResult,
  hostResultsOf,
  mergeHostResults,
  newerHostResult,
  summaryOf,
  tipOf,
  type HostResult,
} from "./results.ts";
import { buildVerdicts, hostVerdicts, isOwnFault, isSuccess, type HostVerdict } from "./verdicts.ts";

const hosts = ["web01", "nas", "nixos/desk.lan", "nixos/nas"];
const id = (number: number) => parseBuildId(`01JDB3K2M4N5P6Q7R8S9T0${String(1000 + number)}`);

/** Only some builds are of the tip. */
const statementOf = (number: number, place: number) =>
  (number + place) % 2 === 0 ? statements[number % statements.length] : undefined;
const statements = [1, 2, 3].map((second) =>
  signStatement(someStatement({ at: `2026-11-29T12:00:0${second}.000Z` }), someSigner("builder")),
);

/** Builds of some hosts each, in the order of their ids; some not over, some with overrides. */
const someBuilds = fc
  .array(
    fc.record({
      verdicts: fc.array(fc.option(fc.constantFrom(...hostVerdicts)), { minLength: 4, maxLength: 4 }),
      end: fc.option(fc.constantFrom(...buildVerdicts)),
      isOther: fc.boolean(),
      isTip: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((builds) =>
    builds.map(({ verdicts, end, isOther, isTip }, number) => {
      const script = scriptBuild(id(number)).wait(number * 1000);
      const sources = ["nixos-servers", "nixos"].map((repo) => ({
        ...someSource,
        repo: parseRepoName(repo),
        tip: isTip,
      }));
      script.accepted(hosts, { sources: isOther && number % 3 === 0 ? [withOverrides] : sources });
      for (const [place, verdict] of verdicts.entries()) {
        const isCached = verdict !== null && isSuccess(verdict);
        const more = isCached ? { cached: place % 2 === 0, statement: statementOf(number, place) } : {};
        if (verdict !== null) script.hostsFinished(verdict, [hosts[place] ?? ""], more);
      }
      if (end !== null) script.finished(end, end === "succeeded" ? undefined : "because");
      return foldEvents(script.id, script.events);
    }),
  );

const [anySource] = scriptBuild().accepted(["web01"]).state.sources;
if (anySource === undefined) throw new Error("a build has a source");
const someSource = anySource;
const withOverrides = {
  ...someSource,
  overrides: [someOverride()],
};

/** Word for word what the newest build says in which the host has a verdict, and of all of them since when it fails. */
function expected(builds: readonly BuildState[]): readonly HostResult[] {
  const all = builds.flatMap(hostResultsOf);
  const tips = newestOf(all.filter(({ tip }) => tip !== null));
  const rows = [...newestOf(all)].map(([name, row]) => {
    const tip = tips.get(name);
    return { ...row, tip: tip === undefined ? null : tipOf({ ...tip, tip: undefined }) };
  });
  return mergeHostResults(rows);
}

function newestOf(rows: readonly HostResult[]): ReadonlyMap<string, HostResult> {
  const newest = new Map<string, HostResult>();
  const failing = new Map<string, string | undefined>();
  const stated = new Map<string, HostResult["stated"]>();
  for (const row of rows) {
    const name = `${row.repo}/${row.host}`;
    if (isSuccess(row.verdict)) failing.delete(name);
    else if (isOwnFault(row.verdict) && !failing.has(name)) failing.set(name, row.at);
    if (row.stated !== undefined) stated.set(name, row.stated);
    newest.set(name, { ...row, failsSince: failing.get(name), stated: stated.get(name) });
  }
  return newest;
}

const stored = (row: HostResult): HostResult => decodeHostResult(encodeHostResult(row));

test("rows say what the folds of 500 random logs say, whichever was written first and how often", () => {
  fc.assert(
    fc.property(someBuilds, fc.infiniteStream(fc.nat()), (builds, numbers) => {
      for (const build of builds) {
        const result = buildResultOf(build);
        const isOver = build.finishedAt !== undefined;
        expect(result === undefined).toBe(!isOver);
        const again = result === undefined ? undefined : decodeBuildResult(encodeBuildResult(result));
        expect(again).toEqual(isOver ? summaryOf(build) : undefined);
      }
      const inOrder = mergeHostResults(builds.flatMap(hostResultsOf).map(stored));
      expect(inOrder).toEqual(expected(builds).map(stored));

      const shuffled = [...builds, ...builds].toSorted(() =>
        Number(numbers.next().value) % 2 === 0 ? 1 : -1,
      );
      const anyOrder = mergeHostResults(shuffled.flatMap(hostResultsOf).map(stored));
      const facts = (row: HostResult): object => ({
        ...row,
        failsSince: undefined,
        tip: row.tip && { ...row.tip, failsSince: undefined },
      });
      expect(anyOrder.map(facts)).toEqual(inOrder.map(facts));
    }),
    { numRuns: 500 },
  );
});

test.each<[string, readonly HostVerdict[], number | undefined]>([
  ["fails since the first of the failures", ["built", "build-failed", "eval-failed"], 1],
  ["does not fail any more", ["build-failed", "unchanged"], undefined],
  ["fails still, behind a fault of the infrastructure", ["timed-out", "infra-failed", "build-failed"], 0],
  ["is not said to fail for a fault of the infrastructure", ["built", "infra-failed"], undefined],
])("a host %s", (_, verdicts, since) => {
  const rows = verdicts.flatMap((verdict, number) =>
    hostResultsOf(
      scriptBuild(id(number))
        .wait(number * 1000)
        .accepted(["nas"])
        .hostsFinished(verdict, ["nas"]).state,
    ),
  );
  const newest = rows.reduce<HostResult | undefined>(newerHostResult, undefined);
  expect(newest?.failsSince).toBe(since === undefined ? undefined : rows[since]?.at);
});

test("a newer row without a statement takes none away, whichever was written first", () => {
  const [statement] = statements;
  const tip = scriptBuild(id(1)).accepted(["nas"]).hostsFinished("built", ["nas"], { statement });
  const old = scriptBuild(id(2)).accepted(["nas"]).hostsFinished("build-failed", ["nas"]);
  const rows = [tip, old].flatMap(({ state }) => hostResultsOf(state));
  for (const order of [rows, rows.toReversed()]) {
    expect(mergeHostResults(order)).toMatchObject([
      { verdict: "build-failed", build: id(2), stated: { build: id(1), ...statement } },
    ]);
  }
});

test("a build of another commit says nothing of the branch, and earlier releases did not tell them apart", () => {
  const [broken] = hostResultsOf(
    scriptBuild(id(2))
      .accepted(["nas"], { sources: [{ ...someSource, branch: undefined, tip: false }] })
      .hostsFinished("build-failed", ["nas"]).state,
  );
  const [good] = hostResultsOf(scriptBuild(id(1)).accepted(["nas"]).hostsFinished("built", ["nas"]).state);
  if (broken === undefined || good === undefined) throw new Error("a finished host has a row");
  expect(tipOf(broken)).toBe(undefined);
  expect(newerHostResult(good, broken)).toMatchObject({ verdict: "build-failed", tip: { verdict: "built" } });
  const { tip: _, ...ofEarlierRelease } = broken;
  expect(tipOf(ofEarlierRelease)).toMatchObject({ verdict: "build-failed" });
});
