// What must hold of every order of a rollout at the moment when it is told. Pure.
import type { HostName } from "../../src/protocol/names.ts";
import type { RolloutEventOf } from "../../src/protocol/rollout/rollout-events.ts";
import type { Rollout } from "../../src/protocol/rollout/rollout.ts";

export interface OrderedBy {
  /** Of the hosts as they are; nothing where nobody can tell. */
  readonly whyNot: (host: HostName) => { readonly held: boolean; readonly runsByHand: boolean } | undefined;
  readonly isOpen: boolean;
}

/** @param rollout before these orders */
export function orderFaults(
  rollout: Rollout,
  orders: RolloutEventOf<"ordered">["orders"],
  { whyNot, isOpen }: OrderedBy,
): readonly string[] {
  const faults: string[] = [];
  const say = (what: string): void => void faults.push(what);
  const inFlight = [...rollout.hosts.values()].filter(({ status }) => status === "ordered");
  const roles = inFlight.flatMap(({ role }) => role ?? []);
  let isAlone = inFlight.some(({ isNeeded }) => isNeeded);
  let used = inFlight.length;
  const isUndoing = orders.every(({ kind }) => kind === "rollback");
  if (rollout.end !== undefined) say("an order after the end");
  if (rollout.aborted !== undefined) say("an order after the abort");
  if (rollout.paused !== undefined && rollout.halted === undefined) say("an order while it is paused");
  if (rollout.halted !== undefined && !isUndoing) say("an order while it is halted");
  if (!isUndoing && !isOpen) say("an order outside of the windows");
  for (const { host, kind } of orders) {
    const planned = rollout.hosts.get(host);
    if (planned === undefined) {
      say(`${host} is not planned`);
      continue;
    }
    const { held = false, runsByHand = false } = whyNot(host) ?? {};
    if (planned.status === "ordered") say(`${host} has an order already`);
    if (kind !== "rollback" && held) say(`${host} is held`);
    if (kind === "activate" && ["done", "unchanged", "refused", "failed"].includes(planned.status)) {
      say(`${host} is ${planned.status}`);
    }
    if (kind === "activate" && runsByHand) say(`${host} over what somebody deployed by hand`);
    if (planned.role !== undefined && roles.includes(planned.role)) say(`two of ${planned.role}`);
    if (planned.role !== undefined) roles.push(planned.role);
    if (isAlone || (planned.isNeeded && used > 0)) say(`${host} beside one that others need`);
    isAlone ||= planned.isNeeded;
    if (++used > rollout.policy.maxUnavailable) say("too many at a time");
    for (const [index, wave] of rollout.waves.entries()) {
      if (kind === "activate" && index < planned.wave) {
        const members = [...rollout.hosts.values()].filter((each) => each.wave === index);
        const isDue = members.some(({ status }) => status === "waiting" || status === "ordered");
        if (isDue && wave.soakedAt === undefined) say(`${host} before the wave ${wave.name} was over`);
      }
      if (kind === "activate" && index === planned.wave && wave.manual && !wave.released) {
        say(`${host} past the manual wave ${wave.name}`);
      }
    }
  }
  return faults;
}
