import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild } from "../../test/support/build-events.ts";
import { someOverride } from "../../test/support/overrides.ts";
import { foldEvents, type BuildState } from "./build-state.ts";
import { parseBuildId } from "./names.ts";
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
  type HostResult,
} from "./results.ts";
import { buildVerdicts, hostVerdicts, isOwnFault, isSuccess, type HostVerdict } from "./verdicts.ts";

const hosts = ["web01", "nas", "nixos/desk.lan", "nixos/nas"];
const id = (number: number) => parseBuildId(`01JDB3K2M4N5P6Q7R8S9T0${String(1000 + number)}`);

/** Builds of some hosts each, in the order of their ids; some not over, some with overrides. */
const someBuilds = fc
  .array(
    fc.record({
      verdicts: fc.array(fc.option(fc.constantFrom(...hostVerdicts)), { minLength: 4, maxLength: 4 }),
      end: fc.option(fc.constantFrom(...buildVerdicts)),
      isOther: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((builds) =>
    builds.map(({ verdicts, end, isOther }, number) => {
      const script = scriptBuild(id(number)).wait(number * 1000);
      script.accepted(hosts, isOther && number % 3 === 0 ? { sources: [withOverrides] } : {});
      for (const [place, verdict] of verdicts.entries()) {
        const cached = verdict !== null && isSuccess(verdict) ? { cached: place % 2 === 0 } : {};
        if (verdict !== null) script.hostsFinished(verdict, [hosts[place] ?? ""], cached);
      }
      if (end !== null) script.finished(end, end === "succeeded" ? undefined : "because");
      return foldEvents(script.id, script.events);
    }),
  );

const [source] = scriptBuild().accepted(["web01"]).state.sources;
if (source === undefined) throw new Error("a build has a source");
const withOverrides = {
  ...source,
  overrides: [someOverride()],
};

/** Word for word what the newest build says in which the host has a verdict, and of all of them since when it fails. */
function expected(builds: readonly BuildState[]): readonly HostResult[] {
  const rows = new Map<string, HostResult>();
  const failing = new Map<string, string | undefined>();
  for (const build of builds) {
    for (const row of hostResultsOf(build)) {
      const name = `${row.repo}/${row.host}`;
      if (isSuccess(row.verdict)) failing.delete(name);
      else if (isOwnFault(row.verdict) && !failing.has(name)) failing.set(name, row.at);
      rows.set(name, { ...row, failsSince: failing.get(name) });
    }
  }
  return mergeHostResults(rows.values());
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
      const facts = (row: HostResult): object => ({ ...row, failsSince: undefined });
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
