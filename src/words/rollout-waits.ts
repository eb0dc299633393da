// What a rollout waits for, and why a host of it is not deployed yet: for people, from what is known. It decides nothing.
import { isAbsent, type HostState } from "../protocol/deploy/host-state.ts";
import type { HostName } from "../protocol/names.ts";
import type { Rollout, RolloutHost, RolloutWave } from "../protocol/rollout/rollout.ts";
import { isPlanned, isTaken } from "../protocol/rollout/rollout.ts";
import { isOpen } from "../protocol/rollout/windows.ts";

export type HostStates = ReadonlyMap<HostName, HostState>;

export type RolloutWait =
  /** Another rollout of the repo runs, or the deployer has not seen it yet. */
  | { readonly type: "turn" }
  | { readonly type: "plan" }
  | { readonly type: "paused"; readonly by: string; readonly reason?: string }
  | { readonly type: "manual"; readonly wave: string }
  | { readonly type: "halted"; readonly detail: string }
  /** After an abort, hosts finish what they have begun. */
  | { readonly type: "aborted"; readonly by: string; readonly hosts: readonly HostName[] }
  /** `silent`: those of them that do not speak. */
  | { readonly type: "hosts"; readonly hosts: readonly HostName[]; readonly silent: readonly HostName[] }
  | { readonly type: "window" }
  | { readonly type: "soak"; readonly wave: string; readonly until: string }
  /** Nothing else is in the way: the deployer takes the next step. */
  | { readonly type: "deployer" };

/** The first that applies; undefined once the rollout is over. */
export function rolloutWait(rollout: Rollout, states: HostStates, now: Date): RolloutWait | undefined {
  const { end, aborted, halted, paused, policy } = rollout;
  if (end !== undefined) return undefined;
  const ordered = [...rollout.hosts.values()].filter(({ status }) => status === "ordered");
  const hosts = ordered.map(({ host }) => host);
  if (aborted !== undefined) return { type: "aborted", by: aborted.by, hosts };
  if (halted !== undefined) return { type: "halted", detail: halted.detail };
  if (paused !== undefined) {
    const wave = paused.wave === undefined ? undefined : rollout.waves[paused.wave];
    return wave === undefined
      ? { type: "paused", by: paused.by, reason: paused.reason }
      : { type: "manual", wave: wave.name };
  }
  if (rollout.partsLeft === undefined) return { type: "turn" };
  if (!isPlanned(rollout)) return { type: "plan" };
  if (hosts.length > 0) {
    const silent = hosts.filter((host) => {
      const state = states.get(host);
      return state !== undefined && isAbsent(state, now);
    });
    return { type: "hosts", hosts, silent };
  }
  const soaking = rollout.waves.find(isSoaking);
  if (soaking !== undefined) return { type: "soak", wave: soaking.name, until: soaking.soak.until };
  return isOpen(policy.windows, now) ? { type: "deployer" } : { type: "window" };
}

const isSoaking = (wave: RolloutWave): wave is RolloutWave & { readonly soak: { readonly until: string } } =>
  wave.soak !== undefined && wave.soakedAt === undefined;

export type HostWait =
  /** What stops all hosts that have no order. */
  | { readonly type: "rollout"; readonly wait: RolloutWait }
  /** Its wave has not begun; `after` is the one that has to be over before. */
  | { readonly type: "wave"; readonly after?: string }
  | { readonly type: "role"; readonly role: string; readonly host: HostName }
  | { readonly type: "one-by-one"; readonly host: HostName }
  | { readonly type: "most"; readonly atOnce: number }
  /** It was ordered, and is ordered again: this passes by itself. */
  | { readonly type: "again"; readonly code: string }
  /** It works at what somebody else ordered. */
  | { readonly type: "busy" }
  | { readonly type: "deployer" };

/**
 * What a host of the rollout waits for; undefined for one that does not wait. What all of them wait for is found once: there
 * can be a thousand.
 */
export function hostWaits(
  rollout: Rollout,
  states: HostStates,
  now: Date,
): (host: RolloutHost) => HostWait | undefined {
  const wait = rolloutWait(rollout, states, now);
  const all = [...rollout.hosts.values()];
  const taken = new Set(all.filter((host) => isTaken(host, states.get(host.host), now)));
  const underWay = all.filter((host) => host.status === "ordered" || taken.has(host));
  return (host) => {
    if (host.status !== "waiting") return undefined;
    const found = hostWait(rollout, host, wait, underWay, now);
    // It is the last thing in its way, or all that is.
    return taken.has(host) && found?.type !== "rollout" && found?.type !== "wave" ? { type: "busy" } : found;
  };
}

/** @param underWay hosts that have an order; one that waits is not among them */
function hostWait(
  rollout: Rollout,
  { wave: at, role, result, order }: RolloutHost,
  wait: RolloutWait | undefined,
  underWay: readonly RolloutHost[],
  now: Date,
): HostWait | undefined {
  if (wait === undefined) return { type: "deployer" };
  if (["aborted", "halted", "paused", "manual", "turn", "plan"].includes(wait.type)) {
    return { type: "rollout", wait };
  }
  const wave = rollout.waves[at];
  if (wave?.startedAt === undefined) {
    return at > 0 ? { type: "wave", after: rollout.waves[at - 1]?.name } : { type: "rollout", wait };
  }
  if (!isOpen(rollout.policy.windows, now)) return { type: "rollout", wait: { type: "window" } };
  const sameRole = role === undefined ? undefined : underWay.find((each) => each.role === role);
  if (role !== undefined && sameRole !== undefined) return { type: "role", role, host: sameRole.host };
  const [first] = underWay;
  if (wave.oneByOne && first !== undefined) return { type: "one-by-one", host: first.host };
  const { maxUnavailable } = rollout.policy;
  if (underWay.length >= maxUnavailable) return { type: "most", atOnce: maxUnavailable };
  if (order !== undefined && result?.code !== undefined) return { type: "again", code: result.code };
  return { type: "deployer" };
}
