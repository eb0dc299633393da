// What `hosts` reads of all hosts, or of one.
import type { BuildReader } from "../bus/bus.ts";
import type { DeployReader, HostAddress } from "../bus/deploy-bus.ts";
import { foldDeployEvents, type Deployment } from "../protocol/deploy/deployment.ts";
import type { BuildId } from "../protocol/names.ts";
import type { HostResult } from "../protocol/results.ts";
import { readSummaries } from "./read-results.ts";
import { holdOf, runningHosts, type RunningHost } from "./running-hosts.ts";

export interface RunningReaders {
  readonly reader: BuildReader;
  readonly bus: DeployReader;
}

/** Empty where no host ever spoke. */
export async function readRunning(
  { reader, bus }: RunningReaders,
  rows: readonly HostResult[],
  ids: readonly BuildId[],
  now: Date,
  signal: AbortSignal,
): Promise<readonly RunningHost[]> {
  const [states, holds] = await Promise.all([bus.hostStates(signal), bus.holds(signal)]);
  if (states.length === 0) return [];
  const builds = await readSummaries(reader, ids, new Map(), signal);
  return runningHosts({ rows, states, builds, holdOf: (host) => holdOf(holds, host) }, now);
}

const mostShown = 10;

/** Newest first. */
export async function readDeployments(
  bus: DeployReader,
  address: HostAddress,
  signal: AbortSignal,
): Promise<readonly Deployment[]> {
  const { deployments } = foldDeployEvents(await bus.readDeployEvents(address, 0, signal));
  return deployments.toReversed().slice(0, mostShown);
}
