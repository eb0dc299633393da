// Everything that the deployer knows at a moment when it decides what comes next.
import { absentAfterMs, isAbsent, type HostState } from "../protocol/deploy/host-state.ts";
import type { Deployment } from "../protocol/deploy/deployment.ts";
import type { OrderId } from "../protocol/deploy/order.ts";
import type { HostName } from "../protocol/names.ts";
import type { RolloutEvent } from "../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../protocol/rollout/rollout.ts";
import type { GateAnswer } from "./gates.ts";

export interface HostView {
  /** Absent where it never spoke. */
  readonly state?: HostState;
  /** What it did with its order of this rollout, or with the withdrawal of it. */
  readonly deployment?: Deployment;
  /** The newest order that was stored for it since ours was told; null for none. Undefined while nobody has looked. */
  readonly newestOrder?: OrderId | null;
  /** Ours was stored, and somebody else's after it. */
  readonly isOvertaken?: boolean;
  /** What it did with the order to fetch ahead, and the newest order that is stored for it, while that is under way. */
  readonly ahead?: Pick<HostView, "deployment" | "newestOrder">;
  /** An operator's mark. */
  readonly hold?: string;
}

export interface RolloutView {
  readonly rollout: Rollout;
  readonly now: Date;
  /** Since when we hear what hosts say, without a gap. */
  readonly hearsSince: Date;
  readonly hosts: ReadonlyMap<HostName, HostView>;
  /** By the gates' names, and when each was asked. */
  readonly gates: ReadonlyMap<string, { readonly answer: GateAnswer; readonly at: Date }>;
}

/** `unknown`: it was not heard, and neither would we have. */
export type Presence = "present" | "absent" | "unknown";

export function presenceOf(host: HostName, { hosts, now, hearsSince }: RolloutView): Presence {
  const state = hosts.get(host)?.state;
  if (state !== undefined && !isAbsent(state, now)) return "present";
  return now.getTime() - hearsSince.getTime() < absentAfterMs ? "unknown" : "absent";
}

type Body<Event> = Event extends RolloutEvent ? Omit<Event, "rollout" | "repo" | "at"> : never;
/** An event without what every event of the rollout has. */
export type RolloutEventBody = Body<RolloutEvent>;

/** The next thing to do; after each the deployer looks again. */
export type RolloutStep =
  | { readonly type: "append"; readonly event: RolloutEventBody }
  /** Look at all hosts, and tell the plan. */
  | { readonly type: "plan" }
  /** Sign and store the newest orders of these hosts. */
  | { readonly type: "place"; readonly hosts: readonly HostName[] }
  /** Store the withdrawals of these hosts' orders. */
  | { readonly type: "withdraw"; readonly hosts: readonly HostName[] }
  /** Sign and store the orders of these hosts to fetch ahead. */
  | { readonly type: "place-ahead"; readonly hosts: readonly HostName[] }
  /** Store the withdrawals of those. */
  | { readonly type: "withdraw-ahead"; readonly hosts: readonly HostName[] }
  | { readonly type: "ask-gates" }
  /** Until something changes, and at the latest until then. */
  | { readonly type: "wait"; readonly until?: Date }
  | { readonly type: "over" };

export const append = (event: RolloutEventBody): RolloutStep => ({ type: "append", event });
