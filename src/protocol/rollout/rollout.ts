// What is known about a rollout after some of its events: a pure fold, the same for the deployer, the command line and the
// dashboard.
import type { HostName, RepoName, StorePath } from "../names.ts";
import type { DeployCode } from "../deploy/deploy-codes.ts";
import { isAbsent, isWorking, type HostState } from "../deploy/host-state.ts";
import type { OrderId } from "../deploy/order.ts";
import type {
  HaltCode,
  PlannedRolloutHost,
  PlannedWave,
  RolloutEvent,
  RolloutEventOf,
  RolloutId,
  RolloutOutcome,
  RolloutResult,
} from "./rollout-events.ts";

/**
 * - `waiting`: its turn comes
 * - `ordered`: it has an order that is not over
 * - `done`: it runs what it shall
 * - `failed`: it was ordered, and does not
 * - `overtaken`: somebody else ordered something for it meanwhile
 * - `undone`: it was sent back, because the rollout failed elsewhere
 */
export type RolloutHostStatus =
  | "waiting"
  | "ordered"
  | "done"
  | "unchanged"
  | "failed"
  | "absent"
  | "held"
  | "refused"
  | "overtaken"
  | "undone";

export interface RolloutOrder {
  readonly order: OrderId;
  readonly kind: "activate" | "rollback" | "reboot";
  readonly path: StorePath;
  /** Counts from 1: temporary failures are retried. */
  readonly attempt: number;
  readonly at: string;
  /** The order that takes it back. */
  readonly withdrawal?: OrderId;
}

/** An order that only fetches, for a host whose turn comes later. */
export interface AheadOrder extends Pick<RolloutOrder, "order" | "path" | "at" | "withdrawal"> {
  /** How it ended, and when that was reported. */
  readonly result?: RolloutResult & { readonly at: string };
}

export interface RolloutHost extends Omit<PlannedRolloutHost, "leftOut"> {
  readonly status: RolloutHostStatus;
  /** The newest one. */
  readonly order?: RolloutOrder;
  /** The result of the newest order that is over, and when it was reported. */
  readonly result?: RolloutResult & { readonly at: string };
  /** What it was told to fetch before its turn, once at most. */
  readonly ahead?: AheadOrder;
  /** How its reboot went, where the rollout ordered one. */
  readonly reboot?: "ordered" | "done" | "failed" | "left";
}

export interface RolloutWave extends PlannedWave {
  readonly startedAt?: string;
  readonly soak?: { readonly until: string; readonly since: string };
  readonly soakedAt?: string;
  /** Somebody let it begin, where it is manual. */
  readonly released: boolean;
}

/** Somebody who asked for something. */
export interface Asked {
  readonly by: string;
  readonly at: string;
  readonly reason?: string;
}

type Created = RolloutEventOf<"created">;

export interface Rollout extends Pick<
  Created,
  "commit" | "branch" | "build" | "trigger" | "retryOf" | "policy"
> {
  readonly id: RolloutId;
  readonly repo: RepoName;
  readonly created: Asked;
  /** Whom it was asked for; the plan says what comes of each. */
  readonly wanted: readonly HostName[];
  /** Parts of the plan that are still to come; undefined before the first. */
  readonly partsLeft?: number;
  readonly waves: readonly RolloutWave[];
  readonly hosts: ReadonlyMap<HostName, RolloutHost>;
  readonly startedAt?: string;
  readonly paused?: Asked & { readonly wave?: number };
  readonly halted?: {
    readonly code: HaltCode;
    readonly detail: string;
    readonly host?: HostName;
    readonly at: string;
  };
  /** Failures that people knew of when they resumed it. */
  readonly accepted: number;
  /** What people accepted by resuming: a host that halted it, or a missing canary. */
  readonly waived: readonly { readonly code: HaltCode; readonly host?: HostName }[];
  readonly aborted?: Asked;
  readonly end?: { readonly outcome: RolloutOutcome; readonly detail?: string; readonly at: string };
  /** When the last event was told. */
  readonly lastAt: string;
}

/** Its plan is whole. */
export const isPlanned = ({ partsLeft }: Rollout): boolean => partsLeft === 0;

/** It waits for a person, who resumes or aborts it. */
export const isHalted = ({ end, halted }: Pick<Rollout, "end" | "halted">): boolean =>
  end === undefined && halted !== undefined;

export function foldRollout(events: Iterable<RolloutEvent>): Rollout | undefined {
  let rollout: Rollout | undefined;
  for (const event of events) rollout = applyRolloutEvent(rollout, event);
  return rollout;
}

/** Undefined until it was created. What comes after its end changes nothing. */
export function applyRolloutEvent(rollout: Rollout | undefined, event: RolloutEvent): Rollout | undefined {
  if (event.type === "created") return rollout ?? created(event);
  if (rollout === undefined || rollout.end !== undefined) return rollout;
  return { ...changed(rollout, event), lastAt: event.at };
}

const created = (event: Created): Rollout => {
  const { rollout: id, repo, at, by, reason, hosts, trigger, commit, branch, build, policy, retryOf } = event;
  return {
    id,
    repo,
    trigger,
    commit,
    branch,
    build,
    policy,
    retryOf,
    created: { by, at, reason },
    wanted: hosts,
    waves: [],
    hosts: new Map(),
    accepted: 0,
    waived: [],
    lastAt: at,
  };
};

function changed(rollout: Rollout, event: Exclude<RolloutEvent, Created>): Rollout {
  switch (event.type) {
    case "planned":
      return planned(rollout, event);
    case "wave-started":
      return inWave(rollout, event.wave, (wave) => ({ ...wave, startedAt: wave.startedAt ?? event.at }));
    case "ordered":
      return ordered(rollout, event);
    case "ended":
      return ended(rollout, event);
    case "left-out":
      return eachHost(rollout, event.hosts, (host, { detail }) =>
        host.status === "ordered" ? host : { ...host, status: event.why, detail },
      );
    case "fetch-ordered":
      return eachHost(rollout, event.orders, (host, { order, path }) => ({
        ...host,
        ahead: { order, path, at: event.at },
      }));
    case "fetch-ended":
      return eachHost(rollout, event.results, (host, result) =>
        host.ahead?.order === result.order
          ? { ...host, ahead: { ...host.ahead, result: { ...result, at: event.at } } }
          : host,
      );
    case "withdrawn":
      return eachHost(rollout, event.orders, withdrawn);
    case "soaking":
      return inWave(rollout, event.wave, (wave) => ({
        ...wave,
        soak: { until: event.until, since: event.at },
      }));
    case "soaked":
      return inWave(rollout, event.wave, (wave) => ({ ...wave, soakedAt: event.at }));
    case "paused":
      return { ...rollout, paused: { ...askedOf(event), wave: event.wave } };
    case "resumed":
      return resumed(rollout);
    case "aborted":
      return { ...rollout, aborted: rollout.aborted ?? askedOf(event) };
    case "halted": {
      const { code, detail, host, at } = event;
      return { ...rollout, halted: { code, detail, host, at } };
    }
    case "finished": {
      const { outcome, detail, at } = event;
      return { ...rollout, end: { outcome, detail, at } };
    }
  }
}

const askedOf = ({ by, at, reason }: Asked): Asked => ({ by, at, reason });

function planned(rollout: Rollout, { part, parts, waves, hosts, at }: RolloutEventOf<"planned">): Rollout {
  // A deployer that died in the middle of the plan plans again.
  const isFirst = part === 0;
  const left = isFirst ? parts : (rollout.partsLeft ?? 0);
  if (left === 0 || parts - left !== part) return rollout;
  const before = isFirst ? new Map<HostName, RolloutHost>() : rollout.hosts;
  const added = hosts.map(({ leftOut, ...host }): [HostName, RolloutHost] => [
    host.host,
    { ...host, status: leftOut ?? "waiting" },
  ]);
  return {
    ...rollout,
    partsLeft: left - 1,
    waves: isFirst ? (waves ?? []).map((wave) => ({ ...wave, released: !wave.manual })) : rollout.waves,
    hosts: new Map([...before, ...added]),
    startedAt: left === 1 ? at : rollout.startedAt,
  };
}

/** What halted it is known by now; a pause before a wave lets that wave begin. */
function resumed({ paused, halted, ...rollout }: Rollout): Rollout {
  // Hosts that are being sent back do not go forward again.
  const isUndoing = [...rollout.hosts.values()].some(({ order }) => order?.kind === "rollback");
  if (halted !== undefined && isUndoing) return { ...rollout, halted };
  const next =
    halted === undefined
      ? rollout
      : {
          ...rollout,
          accepted: failedHosts(rollout).length,
          waived: [...rollout.waived, { code: halted.code, host: halted.host }],
        };
  const wave = paused?.wave;
  return wave === undefined ? next : inWave(next, wave, (each) => ({ ...each, released: true }));
}

export const failedHosts = ({ hosts }: Pick<Rollout, "hosts">): readonly RolloutHost[] =>
  [...hosts.values()].filter(({ status, reboot }) => status === "failed" || reboot === "failed");

const inWave = (rollout: Rollout, at: number, change: (wave: RolloutWave) => RolloutWave): Rollout => ({
  ...rollout,
  waves: rollout.waves.map((wave, index) => (index === at ? change(wave) : wave)),
});

function eachHost<Item extends { readonly host: HostName }>(
  rollout: Rollout,
  items: readonly Item[],
  change: (host: RolloutHost, item: Item) => RolloutHost,
): Rollout {
  const hosts = new Map(rollout.hosts);
  for (const item of items) {
    const host = hosts.get(item.host);
    if (host !== undefined) hosts.set(item.host, change(host, item));
  }
  return { ...rollout, hosts };
}

function withdrawn(
  host: RolloutHost,
  { order, withdrawal }: RolloutEventOf<"withdrawn">["orders"][number],
): RolloutHost {
  if (host.order?.order === order) return { ...host, order: { ...host.order, withdrawal } };
  if (host.ahead?.order === order) return { ...host, ahead: { ...host.ahead, withdrawal } };
  return host;
}

/** It was told to fetch for its turn, which has not come, and that has not ended. */
export const isFetchingAhead = ({ status, ahead }: RolloutHost): boolean =>
  status === "waiting" && ahead !== undefined && ahead.result === undefined;

function ordered(rollout: Rollout, { orders, at }: RolloutEventOf<"ordered">): Rollout {
  return eachHost(rollout, orders, (host, { order, kind, path, attempt }) => ({
    ...host,
    status: "ordered",
    order: { order, kind, path, attempt, at },
    ...(kind === "reboot" ? { reboot: "ordered" } : {}),
  }));
}

function ended(rollout: Rollout, { results, at }: RolloutEventOf<"ended">): Rollout {
  return eachHost(rollout, results, (host, result) => {
    if (host.status !== "ordered" || host.order === undefined || host.order.order !== result.order)
      return host;
    return { ...host, ...statusAfter(host, host.order, result), result: { ...result, at } };
  });
}

/** A failed reboot leaves the host with the system that it shall have, or with the old one: it counts as a failure. */
function statusAfter(
  host: RolloutHost,
  { kind, attempt }: RolloutOrder,
  { outcome, code }: RolloutResult,
): Pick<RolloutHost, "status" | "reboot"> {
  const isGood = outcome === "completed" || outcome === "unchanged";
  if (kind === "reboot") return { status: "done", reboot: isGood ? "done" : statusOfReboot(outcome, code) };
  if (kind === "rollback") return { status: isGood ? "undone" : "failed", reboot: host.reboot };
  const status = attempt < mostAttempts && passesByItself(code) ? "waiting" : statusOf(outcome, code);
  return { status, reboot: host.reboot };
}

/** An order that failed for a reason that passes by itself is given so often. */
const mostAttempts = 3;
const passing = new Set<DeployCode>(["BUSY", "EXPIRED", "NOT_CACHED", "REPLAYED"]);
const passesByItself = (code: DeployCode | undefined): boolean => code !== undefined && passing.has(code);

/** An order that was never begun is not a failure. The host is left to whoever deployed it in between. */
function statusOfReboot(outcome: RolloutResult["outcome"], code: DeployCode | undefined): "left" | "failed" {
  const notBegun = ["superseded", "withdrawn", "not-taken"].includes(outcome);
  return notBegun || code === "HELD" || passesByItself(code) ? "left" : "failed";
}

function statusOf(outcome: RolloutResult["outcome"], code: DeployCode | undefined): RolloutHostStatus {
  switch (outcome) {
    case "completed":
    case "staged":
      return "done";
    case "unchanged":
      return "unchanged";
    case "superseded":
      return "overtaken";
    case "withdrawn":
      return "waiting";
    case "not-taken":
      return "absent";
    case "rejected":
      if (code === "HELD") return "held";
      return code === "CHANGED_MEANWHILE" ? "overtaken" : "failed";
    case "expired":
    // An order to activate that was only fetched was not carried out.
    case "fetched":
    case "failed":
    case "lost":
    case "rolled-back":
    case "rollback-failed":
      return "failed";
  }
}

/**
 * It works at what somebody else ordered, so it is as good as down. Its report about the rollout's order is out of date once
 * that order is over.
 */
export const isTaken = ({ status, order }: RolloutHost, state: HostState | undefined, now: Date): boolean =>
  status !== "ordered" &&
  state !== undefined &&
  isWorking(state) &&
  state.order?.id !== order?.order &&
  !isAbsent(state, now);

/** It was there, and took no order several times: it is not asked again and again. */
export const takesNothing = ({ status, result, order }: RolloutHost): boolean =>
  status === "absent" && result?.outcome === "not-taken" && (order?.attempt ?? 0) >= mostAttempts;

/** It shall run the new system, and does so only after a boot that nobody has ordered. */
export const waitsForBoot = ({ status, result, reboot }: RolloutHost): boolean =>
  status === "done" && result?.outcome === "staged" && reboot !== "done";
