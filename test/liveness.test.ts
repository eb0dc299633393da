import { isDeepStrictEqual } from "node:util";
import { expect, test, vi } from "vitest";
import { foldEvents } from "../src/protocol/build-state.ts";
import { isTerminal } from "../src/protocol/events.ts";
import {
  buildResultOf,
  decodeBuildResult,
  decodeHostResult,
  encodeBuildResult,
  encodeHostResult,
  hostResultsOf,
  mergeHostResults,
  type HostResult,
} from "../src/protocol/results.ts";
import { isSuccess, type HostVerdict } from "../src/protocol/verdicts.ts";
import type { FakeHost } from "./support/fake-nix.ts";
import {
  createRandom,
  simulateLab,
  type SimulatedBuild,
  type SimulatedLife,
} from "./support/simulated-lab.ts";

/** LIVENESS_SEEDS=10000 for a campaign; LIVENESS_FIRST_SEED=7 LIVENESS_SEEDS=1 for one life again. */
const seeds = Number(process.env["LIVENESS_SEEDS"] ?? 500);
const firstSeed = Number(process.env["LIVENESS_FIRST_SEED"] ?? 1);

test(
  `every accepted build ends, whatever happens: ${seeds} lives from seed ${firstSeed}`,
  { timeout: 60_000 + seeds * 500 },
  async () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const random = vi.spyOn(Math, "random").mockImplementation(createRandom(seed));
      const life = await simulateLab(seed).finally(() => random.mockRestore());
      const faults = [...life.builds.flatMap((build) => faultsOf(build, life)), ...faultsOfRows(life)];
      expect(faults, `seed ${seed}`).toEqual([]);
    }
  },
);

/** What is wrong with the log of a build that is over. */
function faultsOf({ id, events, cancelled }: SimulatedBuild, { hosts }: SimulatedLife): string[] {
  const faults: string[] = [];
  if (events.some(({ index }, place) => index !== place)) faults.push("its log has a gap");
  if (events.findIndex(isTerminal) !== events.length - 1) faults.push("it continues after its end");
  const said = events.flatMap((event) => (event.type === "hosts-finished" ? event.hosts : []));
  if (new Set(said.map(({ host }) => host)).size < said.length) faults.push("a host has two verdicts");
  for (const { host, verdict } of said) {
    if (!mayBe(verdict, hosts.get(host) ?? {}, cancelled)) faults.push(`${host} is ${verdict}`);
  }
  const state = foldEvents(id, events);
  const areBuilt = [...state.hosts.values()].every(
    ({ finished }) => finished !== undefined && isSuccess(finished.verdict),
  );
  if (state.status === "succeeded" && (!areBuilt || state.unresolved !== undefined)) {
    faults.push("it succeeded without all of its hosts");
  }
  return faults.map((fault) => `${id}: ${fault}`);
}

/** Rows repeat the logs, even when their writers crashed. */
function faultsOfRows({ builds, hostRows }: SimulatedLife): string[] {
  const states = builds.map(({ id, events }) => foldEvents(id, events));
  const faults = builds.flatMap(({ id, row }, place) => {
    const state = states[place];
    const expected = state && buildResultOf(state);
    return isDeepStrictEqual(row, expected && decodeBuildResult(encodeBuildResult(expected)))
      ? []
      : [`${id}: its row is ${JSON.stringify(row)}`];
  });
  // Since when a host fails depends on the order in which builds came to their ends.
  const facts = (row: HostResult): HostResult => ({
    ...row,
    failsSince: undefined,
    tip: row.tip && { ...row.tip, failsSince: undefined },
  });
  const expected = mergeHostResults(states.flatMap(hostResultsOf)).map((row) =>
    facts(decodeHostResult(encodeHostResult(row))),
  );
  const found = mergeHostResults(hostRows).map(facts);
  if (!isDeepStrictEqual(found, expected)) faults.push(`the rows of hosts are ${JSON.stringify(found)}`);
  return faults;
}

/** Whether that can be said of such a host. An infrastructure fault can happen to each. */
function mayBe(verdict: HostVerdict, { build, evaluation, system }: FakeHost, cancelled: boolean): boolean {
  const isBad = evaluation !== undefined && evaluation !== "infra";
  switch (verdict) {
    case "built":
    case "unchanged":
      return !isBad && build !== "fail" && build !== "fail-shared" && build !== "infra-always";
    case "build-failed":
      return build === "fail" || build === "fail-shared";
    case "eval-failed":
      return evaluation === "throw" || evaluation === "crash";
    case "timed-out":
      return evaluation === "time-out";
    case "skipped":
      return system !== undefined;
    case "cancelled":
      return cancelled;
    case "infra-failed":
      return true;
  }
}
