// Which hosts may be ordered at this moment: in their waves' order, not too many at a time, never two of one role, and never
// one that others need beside another.
import { isWorking, seenAt } from "../protocol/deploy/host-state.ts";
import type { HostName, StorePath } from "../protocol/names.ts";
import { hostsInPart } from "../protocol/rollout/rollout-events.ts";
import { isTaken, takesNothing, type RolloutHost } from "../protocol/rollout/rollout.ts";
import { isOpen, nextOpening } from "../protocol/rollout/windows.ts";
import { presenceOf, type RolloutView } from "./rollout-view.ts";

export interface ChosenOrder {
  readonly host: HostName;
  readonly path: StorePath;
  readonly kind: "activate" | "rollback" | "reboot";
  readonly attempt: number;
}

export interface Choice {
  /** To be announced before anything is ordered. */
  readonly leftOut?: {
    readonly why: "absent" | "held" | "overtaken";
    readonly hosts: { readonly host: HostName; readonly detail?: string }[];
  };
  readonly orders: readonly ChosenOrder[];
  /** Some host's turn comes by itself. */
  readonly isWaiting: boolean;
  /** When to look again at the latest. */
  readonly until?: Date;
  /** Somebody waits for another of its role that is down. */
  readonly blocked?: { readonly host: HostName; readonly by: HostName };
}

export interface ChoiceScope {
  /** Hosts of these waves, and of those before. */
  readonly upTo: number;
  /** Reboots of hosts that need one, instead of the new system. */
  readonly reboots?: boolean;
}

const nothing: Choice = { orders: [], isWaiting: false };
const retryMs = (attempt: number): number => attempt * 30_000;

export function chooseForOrder(
  view: RolloutView,
  inFlight: readonly RolloutHost[],
  { upTo, reboots = false }: ChoiceScope,
): Choice {
  const { rollout, now } = view;
  const all = [...rollout.hosts.values()].filter(({ wave }) => {
    const of = rollout.waves[wave];
    return wave <= upTo && (of === undefined || !of.manual || of.released);
  });
  const returned = all.filter((host) => isBack(host, view));
  const due = [...all.filter(({ status }) => status === "waiting"), ...returned].filter(
    ({ path }) => path !== undefined,
  );
  const leftOut = findLeftOut(due, view);
  if (leftOut !== undefined) return { ...nothing, leftOut };
  const candidates = [
    ...due.flatMap((host) => activationOf(host)),
    ...(reboots && rollout.policy.reboots === "in-window" ? rebootsOf(all, view) : []),
  ];
  if (candidates.length === 0) return nothing;
  if (!isOpen(rollout.policy.windows, now)) {
    return { ...nothing, isWaiting: true, until: nextOpening(rollout.policy.windows, now) };
  }
  return fillSlots(candidates, view, inFlight);
}

const isBack = (host: RolloutHost, view: RolloutView): boolean =>
  host.status === "absent" && presenceOf(host.host, view) === "present" && !takesNothing(host);

function findLeftOut(due: readonly RolloutHost[], view: RolloutView): Choice["leftOut"] {
  const of = (why: "absent" | "held" | "overtaken", hosts: readonly { host: HostName; detail?: string }[]) =>
    hosts.length === 0 ? undefined : { why, hosts: hosts.slice(0, hostsInPart) };
  const absent = due.filter(
    ({ host, status }) => status === "waiting" && presenceOf(host, view) === "absent",
  );
  const held = due.flatMap(({ host }) => {
    const seen = view.hosts.get(host);
    const reason = seen?.hold ?? seen?.state?.hold;
    return reason === undefined ? [] : [{ host, detail: reason }];
  });
  const overtaken = due.filter(({ host, from, path }) => {
    const running = view.hosts.get(host)?.state?.running.path;
    if (running === undefined || running === null || from === undefined) return false;
    return running !== from && running !== path;
  });
  return (
    of(
      "absent",
      absent.map(({ host }) => {
        const state = view.hosts.get(host)?.state;
        return { host, detail: state === undefined ? "it has never reported" : seenAt(state) };
      }),
    ) ??
    of("held", held) ??
    of(
      "overtaken",
      overtaken.map(({ host }) => ({ host, detail: "it runs another system than when this was planned" })),
    )
  );
}

interface Candidate extends ChosenOrder {
  readonly wave: number;
  readonly role?: string;
  readonly isNeeded: boolean;
  /** When it may be retried. */
  readonly notBefore?: number;
}

function activationOf({ host, path, wave, role, isNeeded, order, result }: RolloutHost): Candidate[] {
  if (path === undefined) return [];
  const before = result === undefined ? 0 : (order?.attempt ?? 0);
  return [
    {
      host,
      path,
      kind: "activate",
      attempt: before + 1,
      wave,
      role,
      isNeeded,
      notBefore: before === 0 || result === undefined ? undefined : Date.parse(result.at) + retryMs(before),
    },
  ];
}

function rebootsOf(all: readonly RolloutHost[], view: RolloutView): Candidate[] {
  return all.flatMap(({ host, status, reboot, wave, role, isNeeded }) => {
    const { state, hold } = view.hosts.get(host) ?? {};
    const path = state?.permanent.path;
    const isThere = status === "done" || status === "unchanged";
    const isNeedy = (state?.reboot?.needed.length ?? 0) > 0;
    const mayNot = hold !== undefined || state?.hold !== undefined || presenceOf(host, view) === "absent";
    if (!isThere || reboot !== undefined || !isNeedy || mayNot || path === undefined || path === null)
      return [];
    return [{ host, path, kind: "reboot", attempt: 1, wave, role, isNeeded }];
  });
}

/** Hosts of this rollout that have not been seen since they were ordered something. */
const isDown = (host: RolloutHost, view: RolloutView): boolean =>
  (host.status === "done" || host.status === "failed") &&
  host.result !== undefined &&
  presenceOf(host.host, view) !== "present" &&
  !view.rollout.waived.some((waived) => waived.host === host.host);

/** It works at what somebody else ordered. What waits for a boot does not. */
const isBusy = (host: HostName, { hosts }: RolloutView): boolean => isWorking(hosts.get(host)?.state);

function fillSlots(
  candidates: readonly Candidate[],
  view: RolloutView,
  inFlight: readonly RolloutHost[],
): Choice {
  const { rollout, now } = view;
  const down = [...rollout.hosts.values()].filter((host) => isDown(host, view));
  // No other host of a role goes down beside one that somebody else has ordered something.
  const taken = [...rollout.hosts.values()].filter((host) =>
    isTaken(host, view.hosts.get(host.host)?.state, now),
  );
  const roles = new Map(
    [...taken, ...inFlight, ...down].flatMap(({ role, host }) => (role === undefined ? [] : [[role, host]])),
  );
  let isAlone = [...inFlight, ...taken].some(({ isNeeded }) => isNeeded);
  const orders: ChosenOrder[] = [];
  let until: number | undefined;
  let blocked: Choice["blocked"];
  for (const { wave, role, isNeeded, notBefore, ...order } of candidates) {
    const inUse = inFlight.length + taken.length + orders.length;
    const most = rollout.waves[wave]?.oneByOne === true ? 1 : rollout.policy.maxUnavailable;
    if (isAlone || inUse >= most || orders.length >= hostsInPart) continue;
    if (notBefore !== undefined && notBefore > now.getTime()) {
      until = Math.min(until ?? notBefore, notBefore);
      continue;
    }
    if (presenceOf(order.host, view) !== "present" || isBusy(order.host, view)) continue;
    const busy = role === undefined ? undefined : roles.get(role);
    if (busy !== undefined) {
      if (down.some(({ host }) => host === busy)) blocked ??= { host: order.host, by: busy };
      continue;
    }
    if (role !== undefined) roles.set(role, order.host);
    isAlone = isNeeded;
    orders.push(order);
  }
  const isBlocked = blocked !== undefined && orders.length === 0 && until === undefined;
  return {
    orders,
    isWaiting: !isBlocked,
    until: until === undefined ? undefined : new Date(until),
    blocked: isBlocked ? blocked : undefined,
  };
}
