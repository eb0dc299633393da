// The deployer as a daemon: its key, gates, notices and metrics, and a deployer for each repo on one connection to NATS.
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { HomelabError, isUnavailable } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Connection } from "../../bus/connect/connection.ts";
import { createReader } from "../../bus/create-reader.ts";
import { createDeployBus } from "../../bus/deploy/create-deploy-bus.ts";
import type { DeployerBus } from "../../bus/rollout-bus.ts";
import { createDeployerBus } from "../../bus/rollout/create-deployer-bus.ts";
import { maySubscribe } from "../../bus/server/probe-permissions.ts";
import { createFleetWatcher } from "../../bus/watch/fleet-watcher.ts";
import type { Config } from "../../config/schema.ts";
import { createRolloutMetrics, type RolloutMetrics } from "../../metrics/rollout-metrics.ts";
import { rolloutNews } from "../../notify/rollout-news-kind.ts";
import { createExec } from "../../process/create-exec.ts";
import { parseRepoName, type RepoName } from "../../protocol/names.ts";
import type { Rollout } from "../../protocol/rollout/rollout.ts";
import { startSubject } from "../../protocol/subjects.ts";
import { createRolloutSeal } from "../../signing/create-rollout-seal.ts";
import { runDeployer } from "../../rollout/deployer.ts";
import { composeNotices } from "../compose-notices.ts";
import { keepServingMetrics } from "../keep-serving-metrics.ts";
import { notifyReady } from "../notify-ready.ts";
import { useNetworkOf } from "../own-network.ts";
import { programVersion } from "../program-version.ts";
import { prepareStateDirectory } from "../state-directory.ts";
import { createGates } from "./create-gates.ts";
import { loadDeployerKey } from "./load-deployer-key.ts";
import { createFleetMeasure } from "./measure-fleet.ts";
import { createNewestRollouts } from "./newest-rollouts.ts";
import { createRolloutNotices, type RolloutNotices } from "./rollout-notices.ts";
import { rolloutSettingsOf } from "./rollout-settings.ts";
import { composeVerifiers } from "./compose-verifiers.ts";

export interface DeployerDaemonOptions {
  readonly config: Config;
  /** Waits for NATS as long as that takes. */
  readonly connect: (signal: AbortSignal) => Promise<Connection>;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly log: Log;
  /** How many bugs the log has seen. */
  readonly bugs: () => number;
}

/** How the deployer is named in logs of rollouts and in orders. */
const own = "deployer";

/** Until the signal aborts. @throws HomelabError `config` for what keeps it from starting at all */
export async function runDeployerDaemon(options: DeployerDaemonOptions, signal: AbortSignal): Promise<void> {
  const { config, connect, clock, environment, log, bugs } = options;
  const { deployer } = config;
  const { stateDirectory, notify } = deployer;
  const signer = await loadDeployerKey(deployer, environment);
  await prepareStateDirectory(stateDirectory, "deployer.stateDirectory");
  useNetworkOf(environment);
  const kept = { stateDirectory, clock, log };
  const outbox = await composeNotices({ ...kept, notify, kind: rolloutNews, environment });
  const notices = outbox === undefined ? undefined : createRolloutNotices({ ...kept, outbox });
  const settings = rolloutSettingsOf(config);
  const repos = [...settings.keys()];
  log.info({ publicKey: signer.key, repos }, "hosts obey this deployer if they trust its public key");

  const verifiers = composeVerifiers({ config, settings, environment, clock, log });
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  let measure: ReturnType<typeof createFleetMeasure> | undefined;
  let isConnected = (): boolean => false;
  const metrics = createRolloutMetrics({
    repos,
    version: programVersion(),
    measure: async () => ({ repos: await measure?.(until), isNatsConnected: isConnected() }),
    bugs,
    log,
  });
  const { listen } = deployer.metrics;
  const beside = [
    ...(listen === undefined
      ? []
      : [keepServingMetrics({ listen, metrics, isHealthy: () => isConnected(), clock, log }, until)]),
    ...(notices === undefined ? [] : [untilAborted(notices.run(until), until)]),
  ];
  try {
    // Before there is NATS: a service that waits for it is ready, and a switch must not fail because of it.
    await notifyReady({ exec: createExec(clock), environment, log }, signal);
    await using connection = await connect(until);
    isConnected = () => connection.isConnected();
    await requireOwnRole(connection);
    const reader = createReader(connection);
    const bus = createDeployBus(connection);
    const rollouts = observed(createDeployerBus(connection, createRolloutSeal(signer)), metrics);
    const newestRollouts = createNewestRollouts(rollouts);
    measure = createFleetMeasure({
      repos,
      results: reader.results,
      deployments: bus,
      newestRollouts,
      clock,
      log,
    });
    if (notices !== undefined) await restoreNotices(notices, repos, newestRollouts, log, until);
    const parts = {
      by: own,
      reader,
      bus,
      rollouts,
      signer,
      gates: createGates({ fetch, clock }),
      clock,
      log,
    };
    const watcher = createFleetWatcher(connection);
    const tell = async ({ rollout }: { readonly rollout: Rollout }): Promise<void> => notices?.look(rollout);
    // The first that fails ends the others.
    await Promise.all(
      [...settings].map(async ([repo, each]) =>
        runDeployer(
          { ...parts, repo, settings: each, watcher, tell, verifyCommit: verifiers.get(repo) },
          until,
        ),
      ),
    );
  } finally {
    stop.abort(new Error("the deployer stops"));
    await Promise.all(beside);
  }
}

/** A new recipient is notified of what happened while nobody sent anything. */
async function restoreNotices(
  notices: RolloutNotices,
  repos: readonly RepoName[],
  newestRollouts: (signal: AbortSignal) => Promise<readonly Rollout[]>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  try {
    const ours = (await newestRollouts(signal)).filter(({ repo }) => repos.includes(repo));
    await notices.restore(ours.toReversed());
  } catch (error) {
    signal.throwIfAborted();
    if (!isUnavailable(error)) throw error;
    log.warn({ err: error }, "notifications about rollouts from before the start are dropped");
  }
}

/** Only the deployer says how rollouts continue: what it stores is counted once. */
const observed = (rollouts: DeployerBus, { observe }: Pick<RolloutMetrics, "observe">): DeployerBus => ({
  ...rollouts,
  async appendRolloutEvent(event, afterSequence, signal) {
    const sequence = await rollouts.appendRolloutEvent(event, afterSequence, signal);
    if (sequence !== undefined) observe(event);
    return sequence;
  },
});

/** Nobody's: a request that came while we only try would get no answer. */
const probed = parseRepoName("homelab-deploy-probe");

/** With the key of another role nobody could ask for a rollout, and each order would be refused. */
async function requireOwnRole({ nats }: Connection): Promise<void> {
  if (await maySubscribe(nats, startSubject(probed))) return;
  throw new HomelabError("refused", "the NATS key of this deployer may not receive requests for rollouts", {
    code: "NATS_PERMISSION",
    hint: "give it its own key: add it to the NATS users with homelab-deploy nats config --deployer KEY",
  });
}

/** An intended end is not an error. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
