// What NATS knows about hosts before something is ordered of them.
import type { BuildReader } from "../bus/bus.ts";
import type { DeployReader, HostAddress } from "../bus/deploy-bus.ts";
import type { HostFacts } from "../deploy/ordering/decide-plan.ts";
import { readHosts } from "../fleet/read-results.ts";
import { holdOf } from "../fleet/running-hosts.ts";
import type { HostState } from "../protocol/deploy/host-state.ts";
import { fullName } from "../protocol/names.ts";
import type { HostResult } from "../protocol/results.ts";
import { isSuccess } from "../protocol/verdicts.ts";
import { findStatements, type StatementSpecification } from "./find-statements.ts";

/** Builds that may be newer than all rows. */
const recentBuilds = 20;

export interface DeployReaders {
  readonly reader: BuildReader;
  readonly bus: DeployReader;
}

/** @param choose of all hosts that were ever built, or ever spoke */
export async function readFacts(
  { reader, bus }: DeployReaders,
  choose: (known: readonly HostAddress[], states: readonly HostState[]) => readonly HostAddress[],
  specification: StatementSpecification,
  signal: AbortSignal,
): Promise<readonly HostFacts[]> {
  const [rows, states, holds] = await Promise.all([
    reader.acceptedBuilds(recentBuilds, signal).then(async (ids) => readHosts(reader, ids, signal)),
    bus.hostStates(signal),
    bus.holds(signal),
  ]);
  const known = new Map([...rows, ...states].map(({ repo, host }) => [`${repo}/${host}`, { repo, host }]));
  const addresses = choose([...known.values()], states);
  const stated = await findStatements(reader, addresses, rows, specification, signal);
  const rowsByName = new Map(rows.map((row) => [fullName(row), row]));
  const statesByName = new Map(states.map((state) => [fullName(state), state]));
  return addresses.map((address) => {
    const name = fullName(address);
    const closure = stated.get(name);
    return {
      address,
      state: statesByName.get(name),
      stated: closure,
      hold: holdOf(holds, address),
      newer:
        specification.commit === undefined && specification.build === undefined
          ? newerOf(rowsByName.get(name), closure?.statement.commit)
          : undefined,
    };
  });
}

/** The newest build of the host is of another commit, which was not stated. */
function newerOf(row: HostResult | undefined, commit: string | undefined): HostFacts["newer"] {
  if (row?.commit === undefined || commit === undefined || row.commit === commit) return undefined;
  if (row.stated !== undefined && row.stated.build >= row.build) return undefined;
  return { commit: row.commit, verdict: isSuccess(row.verdict) ? "built but not stated" : row.verdict };
}
