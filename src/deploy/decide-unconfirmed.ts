// What to do when the new system's listener has not confirmed in time. Either the new system cannot be reached, or NATS is
// down for everybody, which is not a reason to go back.
import type { NetworkEvidence } from "./activator-messages.ts";
import type { Baseline } from "./journal.ts";

export interface UnconfirmedQuestion {
  /** What the listener sees now; undefined while it is silent. */
  readonly evidence: NetworkEvidence | undefined;
  readonly before: Baseline["network"];
}

export type UnconfirmedDecision =
  | { readonly type: "undo"; readonly why: string }
  /** The system stays, but not for good. */
  | { readonly type: "hold" };

export function decideUnconfirmed({ evidence, before }: UnconfirmedQuestion): UnconfirmedDecision {
  if (evidence === undefined) return { type: "undo", why: "the new system's listener is silent" };
  if (evidence.oldNats) {
    return { type: "undo", why: "NATS still answers, but the new system cannot reach it" };
  }
  // A witness that was away before tells nothing by being away now.
  const known = before === undefined ? evidence.witnesses : before.witnesses;
  const answering = known.filter((witness) => evidence.witnesses.includes(witness));
  return answering.length > 0
    ? { type: "hold" }
    : { type: "undo", why: "neither NATS nor anything else that answered before can be reached" };
}
