// What the deployer tells Prometheus of its repos: read from NATS when somebody scrapes, and not more often than that helps.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import { runningHosts } from "../../fleet/running-hosts.ts";
import type { RepoMeasure } from "../../metrics/rollout-metrics.ts";
import { rolloutStateOf } from "../../metrics/rollout-state.ts";
import { isAbsent, seenAt } from "../../protocol/deploy/host-state.ts";
import { fullName, type RepoName } from "../../protocol/names.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";

type Measures = ReadonlyMap<RepoName, RepoMeasure>;

export interface MeasureFleetOptions {
  readonly repos: readonly RepoName[];
  readonly results: Pick<BuildReader["results"], "hosts">;
  readonly deployments: Pick<DeployReader, "hostStates">;
  readonly newestRollouts: (signal: AbortSignal) => Promise<readonly Rollout[]>;
  readonly clock: Clock;
  readonly log: Log;
}

const freshMs = 10_000;
const patienceMs = 5_000;

/** @returns undefined when NATS does not answer in time. Never throws */
export function createFleetMeasure(
  options: MeasureFleetOptions,
): (signal: AbortSignal) => Promise<Measures | undefined> {
  const { clock, log } = options;
  let last: { readonly measures: Measures; readonly at: number } | undefined;
  return async (signal) => {
    if (last !== undefined && clock.monotonic() - last.at < freshMs) return last.measures;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const late = clock.sleep(patienceMs, until).then(
      () => undefined,
      () => undefined,
    );
    try {
      const measures = await Promise.race([readMeasures(options, until), late]);
      if (measures !== undefined) last = { measures, at: clock.monotonic() };
      return measures;
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "the fleet could not be read for the metrics");
      return undefined;
    } finally {
      over.abort(new Error("the metrics wait no longer"));
    }
  };
}

async function readMeasures(
  { repos, results, deployments, newestRollouts, clock }: MeasureFleetOptions,
  signal: AbortSignal,
): Promise<Measures> {
  const [rows, states, rollouts] = await Promise.all([
    results.hosts(signal),
    deployments.hostStates(signal),
    newestRollouts(signal),
  ]);
  const now = clock.now();
  const stated = new Set(rows.filter((row) => row.stated !== undefined).map(fullName));
  const running = runningHosts({ rows, states, holdOf: () => undefined, builds: [] }, now);
  return new Map(
    repos.map((repo) => [
      repo,
      {
        state: rolloutStateOf(rollouts.filter((rollout) => rollout.repo === repo)),
        hosts: running.flatMap(({ state, behind, ...host }) =>
          host.repo !== repo || state === undefined
            ? []
            : [
                {
                  host: host.host,
                  seenAt: new Date(seenAt(state)),
                  isAbsent: isAbsent(state, now),
                  isBehind: stated.has(fullName(host)) ? behind !== 0 : undefined,
                },
              ],
        ),
      },
    ]),
  );
}
