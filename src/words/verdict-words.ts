// A word for each verdict, the same in every output, and how many hosts have which.
import type { HostState } from "../protocol/build-state.ts";
import {
  hostVerdicts,
  isOwnFault,
  isSuccess,
  outcomeOf,
  type HostOutcome,
  type HostVerdict,
} from "../protocol/verdicts.ts";

export const verdictWords: Readonly<Record<HostOutcome, string>> = {
  built: "built",
  unchanged: "unchanged",
  "eval-failed": "evaluation failed",
  "build-failed": "build failed",
  "timed-out": "timed out",
  "infra-failed": "infrastructure fault",
  cancelled: "cancelled",
  skipped: "skipped",
  "internal-error": "internal error",
};

export interface HostCounts {
  readonly total: number;
  readonly ownFault: number;
  readonly infraFailed: number;
  /** Ended by a bug in homelab-deploy. */
  readonly bug: number;
  readonly success: number;
  readonly open: number;
  readonly byVerdict: ReadonlyMap<HostOutcome, number>;
}

export function countHosts(hosts: Iterable<HostState>): HostCounts {
  const byVerdict = new Map<HostOutcome, number>();
  let total = 0;
  let open = 0;
  for (const { finished } of hosts) {
    total++;
    if (finished === undefined) open++;
    else {
      const outcome = outcomeOf(finished);
      byVerdict.set(outcome, (byVerdict.get(outcome) ?? 0) + 1);
    }
  }
  const sumOf = (counts: (verdict: HostVerdict) => boolean): number =>
    hostVerdicts.filter(counts).reduce((sum, verdict) => sum + (byVerdict.get(verdict) ?? 0), 0);
  return {
    total,
    open,
    byVerdict,
    ownFault: sumOf(isOwnFault),
    success: sumOf(isSuccess),
    infraFailed: byVerdict.get("infra-failed") ?? 0,
    bug: byVerdict.get("internal-error") ?? 0,
  };
}
