// Which systems the cache must continue serving, whatever was built since: what hosts run, boot, may go back to, and may be
// ordered to activate.
import type { ResultReader } from "../../bus/bus.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { unverifiedOrderOrNothing } from "../../protocol/deploy/order.ts";
import type { RepoName, StorePath } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import { openStatement } from "../../signing/open-envelope.ts";
import { workThrough } from "../../base/work-through.ts";

export interface DeployedReaders {
  readonly deployments: Pick<DeployReader, "hostStates" | "newestOrder">;
  readonly results: Pick<ResultReader, "hosts">;
}

const readsAtOnce = 32;

/** The function throws HomelabError when NATS does not say it. */
export const readDeployedSystems =
  ({ deployments, results }: DeployedReaders) =>
  async (repo: RepoName, signal: AbortSignal): Promise<ReadonlySet<StorePath>> => {
    const [states, rows] = await Promise.all([deployments.hostStates(signal, repo), results.hosts(signal)]);
    const ofRepo = rows.filter((row) => row.repo === repo);
    const systems = new Set<StorePath>([...states.flatMap(systemsOf), ...ofRepo.flatMap(statedSystem)]);
    // A host that has not reported yet, or not since its order, has its order all the same.
    const hosts = [...new Set([...states, ...ofRepo].map(({ host }) => host))];
    await workThrough(hosts, readsAtOnce, async (host) => {
      const stored = await deployments.newestOrder({ repo, host }, signal);
      // To keep a system that a forged order names does no harm: only what is rooted here can be kept.
      const path = stored === undefined ? undefined : unverifiedOrderOrNothing(stored.envelope)?.path;
      if (path !== undefined) systems.add(path);
    });
    return systems;
  };

const systemsOf = ({ running, booted, permanent, bootDefault, previous }: HostState): StorePath[] =>
  [running.path, booted.path, permanent.path, bootDefault.path, previous?.path].flatMap((path) => path ?? []);

function statedSystem({ stated }: HostResult): StorePath[] {
  try {
    return stated === undefined ? [] : [openStatement(stated).statement.path];
  } catch {
    return [];
  }
}
