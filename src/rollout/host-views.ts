// What the deployer knows about the hosts of one repo: what they say about themselves, and what they do with the orders that are
// under way. Nothing here has to survive: a deployer that restarts reads it again.
import type { Clock } from "../base/clock.ts";
import { workThrough } from "../base/work-through.ts";
import type { DeployReader, HostAddress, HostLogReader } from "../bus/deploy-bus.ts";
import { applyDeployEvent, deploymentOf, emptyHostLog, type HostLog } from "../protocol/deploy/deployment.ts";
import type { Hold, HostState } from "../protocol/deploy/host-state.ts";
import { bytesOf, decodeEnvelope, decodeOrder, type OrderId } from "../protocol/deploy/order.ts";
import { holdOf } from "../fleet/running-hosts.ts";
import type { HostName, RepoName } from "../protocol/names.ts";
import {
  isFetchingAhead,
  isPlanned,
  type Rollout,
  type RolloutHost,
  type RolloutOrder,
} from "../protocol/rollout/rollout.ts";
import type { HostView } from "./rollout-view.ts";

export interface HostViews {
  /** Reads everything again that may have changed. */
  look(rollout: Rollout, signal: AbortSignal): Promise<ReadonlyMap<HostName, HostView>>;
  /** The host has published an event of a deployment. */
  heard(host: HostName): void;
  /** We are about to store an order for it: its log counts from here. */
  begin(host: HostName, signal: AbortSignal): Promise<void>;
  /** This is its newest order now. */
  stored(host: HostName, order: OrderId): void;
  /** What is known is no longer certain. */
  doubt(): void;
}

export interface HostViewsParts {
  readonly repo: RepoName;
  readonly bus: Pick<DeployReader, "hostStates" | "holds" | "newestOrder" | "openHostLog">;
  readonly clock: Clock;
}

/** What nobody told us of is found at the latest after this. */
export const lookEveryMs = 5000;
const readsAtOnce = 50;

interface Watched {
  readonly reader: HostLogReader;
  log: HostLog;
  newest?: OrderId | null;
  /** The order stored before ours. Its signer's clock may be ahead. */
  before?: OrderId | null;
  /** Ours, once it is known to be there. */
  stored?: OrderId;
  isOvertaken: boolean;
  lookedAt: number;
}

export function createHostViews({ repo, bus, clock }: HostViewsParts): HostViews {
  const watched = new Map<HostName, Watched>();
  let states: ReadonlyMap<HostName, HostState> = new Map();
  let holds: ReadonlyMap<string, Hold> = new Map();
  let statesAt = Number.NEGATIVE_INFINITY;
  const address = (host: HostName): HostAddress => ({ repo, host });

  async function readStates(signal: AbortSignal): Promise<void> {
    if (clock.monotonic() - statesAt < lookEveryMs) return;
    const at = clock.monotonic();
    const [read, held] = await Promise.all([bus.hostStates(signal, repo), bus.holds(signal)]);
    states = new Map(read.map((state) => [state.host, state]));
    holds = held;
    statesAt = at;
  }

  async function open(host: HostName, from: "beginning" | "end", signal: AbortSignal): Promise<Watched> {
    const reader = await bus.openHostLog(address(host), from, signal);
    const begun: Watched = {
      reader,
      log: emptyHostLog,
      lookedAt: Number.NEGATIVE_INFINITY,
      isOvertaken: false,
    };
    watched.set(host, begun);
    return begun;
  }

  async function newestOf(host: HostName, signal: AbortSignal): Promise<OrderId | null> {
    const stored = await bus.newestOrder(address(host), signal);
    return stored === undefined ? null : idOf(stored.envelope);
  }

  async function readHost(
    { host }: RolloutHost,
    order: OrderUnderWay | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const of = watched.get(host) ?? (await open(host, "beginning", signal));
    if (clock.monotonic() - of.lookedAt < lookEveryMs) return;
    const at = clock.monotonic();
    for (const event of await of.reader.readMore(signal)) of.log = applyDeployEvent(of.log, event);
    const isTaken = order !== undefined && deploymentOf(of.log, order.order) !== undefined;
    if (!isTaken || order.withdrawal !== undefined) {
      const newest = await newestOf(host, signal);
      of.newest = newest === of.before ? null : newest;
      const isOurs = newest === order?.order || newest === order?.withdrawal;
      if (isOurs) of.stored = order?.order;
      of.isOvertaken = !isOurs && of.stored !== undefined && of.stored === order?.order;
    }
    of.lookedAt = at;
  }

  function viewOf(host: RolloutHost, now: Date): HostView {
    const underWay = orderUnderWay(host);
    const of = underWay === undefined ? undefined : watched.get(host.host);
    const deployment =
      of === undefined || underWay === undefined ? undefined : deploymentOf(of.log, underWay.order);
    const said = { deployment, newestOrder: of?.newest };
    const hold = holdOf(holds, address(host.host));
    const isOver = hold?.until !== undefined && Date.parse(hold.until) < now.getTime();
    return {
      state: states.get(host.host),
      ...(host.status === "ordered"
        ? { ...said, isOvertaken: of?.isOvertaken }
        : underWay === undefined
          ? {}
          : { ahead: said }),
      hold: hold === undefined || isOver ? undefined : `${hold.by} holds it: ${hold.reason}`,
    };
  }

  return {
    async look(rollout, signal) {
      const inFlight = [...rollout.hosts.values()].filter((host) => orderUnderWay(host) !== undefined);
      await readStates(signal);
      if (!isPlanned(rollout))
        return new Map(rollout.wanted.map((host) => [host, { state: states.get(host) }]));
      await workThrough([...inFlight], readsAtOnce, async (host) =>
        readHost(host, orderUnderWay(host), signal),
      );
      const now = clock.now();
      return new Map([...rollout.hosts.values()].map((host) => [host.host, viewOf(host, now)]));
    },
    heard(host) {
      const of = watched.get(host);
      if (of !== undefined) of.lookedAt = Number.NEGATIVE_INFINITY;
      // What runs there changes with it.
      statesAt = Math.min(statesAt, clock.monotonic() - lookEveryMs / 2);
    },
    async begin(host, signal) {
      const of = await open(host, "end", signal);
      of.before = await newestOf(host, signal);
    },
    stored(host, order) {
      const of = watched.get(host);
      if (of === undefined) return;
      of.newest = order;
      of.stored ??= order;
    },
    doubt() {
      statesAt = Number.NEGATIVE_INFINITY;
      for (const of of watched.values()) of.lookedAt = Number.NEGATIVE_INFINITY;
    },
  };
}

type OrderUnderWay = Pick<RolloutOrder, "order" | "withdrawal">;

/** What the host has to do for the rollout now; an order to fetch ahead is no longer asked for when its turn has come. */
function orderUnderWay(host: RolloutHost): OrderUnderWay | undefined {
  if (host.status === "ordered") return host.order;
  return isFetchingAhead(host) ? host.ahead : undefined;
}

/** Null for what is not an order: it takes the place of ours all the same, and sorts before it. */
function idOf(envelope: Uint8Array): OrderId | null {
  try {
    return decodeOrder(bytesOf(decodeEnvelope(envelope).order)).id;
  } catch {
    return null;
  }
}
