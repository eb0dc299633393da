// The listener's own look at an order, before it hands it on. The activator looks again: this one only spares root the work
// with what is not in order.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { System } from "../../host/system.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import { decideOrder, type OrderDecision } from "../decide-order.ts";
import { isHandMade } from "../host-memory.ts";
import type { JournalWatch } from "./journal-watch.ts";

/** @throws HomelabError `unavailable` while the host cannot know the answer */
export type Judge = (envelope: Uint8Array, signal: AbortSignal) => Promise<OrderDecision>;

export interface JudgeOptions {
  /** Read for each order: a switch may have brought another one, and left this process as it was. */
  readonly readPolicy: () => Promise<HostPolicy>;
  readonly journal: JournalWatch;
  readonly system: Pick<System, "readPaths">;
  readonly clock: Clock;
}

export function createJudge({ readPolicy, journal, system, clock }: JudgeOptions): Judge {
  return async (envelope, signal) => {
    await journal.refresh();
    const memory = journal.view()?.memory;
    if (memory === undefined) {
      throw new HomelabError("unavailable", "this host has no journal of deployments that can be read", {
        code: "JOURNAL_MISSING",
        hint: "start homelab-deploy-recover.service, which makes it",
      });
    }
    const [policy, { running }] = await Promise.all([readPolicy(), system.readPaths(signal)]);
    const decision = decideOrder({
      envelope,
      policy,
      memory,
      running,
      isHandMade: isHandMade(memory, running),
      now: clock.now(),
    });
    if (decision.type !== "accepted" || !policy.migration) return decision;
    const detail = "another tool still switches this host (migration)";
    return { type: "rejected", code: "HELD", detail, order: decision.order.id };
  };
}
