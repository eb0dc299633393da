// Whether a host would obey an order, by its policy alone: as one that has seen no order yet and runs what this one expects.
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import type { OpenedEnvelope } from "../../signing/open-envelope.ts";
import { decideOrder, type OrderDecision } from "../decide-order.ts";

export function verifyOrder(
  envelope: Uint8Array,
  { order }: OpenedEnvelope,
  policy: HostPolicy,
  now: Date,
): Extract<OrderDecision, { readonly type: "rejected" }> | undefined {
  const decision = decideOrder({
    envelope,
    policy,
    memory: { serial: 0, firstStart: new Date(0).toISOString(), previous: order.path, isStuck: false },
    running: "running" in order.expects ? order.expects.running : undefined,
    isHandMade: false,
    now,
  });
  return decision.type === "rejected" ? decision : undefined;
}
