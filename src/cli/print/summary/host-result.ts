// How a host's part of a build is said: one word and one sign for each verdict, the same in every output.
import type { HostState } from "../../../protocol/build-state.ts";
import {
  hostVerdicts,
  isOwnFault,
  isSuccess,
  outcomeOf,
  type HostOutcome,
  type HostVerdict,
} from "../../../protocol/verdicts.ts";
import type { Style } from "../style.ts";

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

/** Shown as what needs somebody to change something: the host's repo or homelab-deploy. */
const isRed = (outcome: HostOutcome): boolean => outcome === "internal-error" || isOwnFault(outcome);

/** The sign of a verdict in its colour; a missing one is never shown as success. */
export function verdictSign(verdict: HostOutcome | undefined, style: Style): string {
  if (verdict === undefined) return style.yellow(style.glyphs.unknown);
  if (isRed(verdict)) return style.red(style.glyphs.failure);
  if (verdict === "built" || verdict === "unchanged") return style.green(style.glyphs.success);
  return verdict === "infra-failed" ? style.yellow(style.glyphs.fault) : style.dim(style.glyphs.waiting);
}

/** `✗ build failed`, in its colour. */
export function verdictText(verdict: HostOutcome | undefined, style: Style): string {
  const word = verdict === undefined ? "no verdict" : verdictWords[verdict];
  if (verdict === undefined || verdict === "infra-failed") {
    return `${verdictSign(verdict, style)} ${style.yellow(word)}`;
  }
  return `${verdictSign(verdict, style)} ${isRed(verdict) ? style.red(word) : word}`;
}

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

export const hosts = (count: number): string => (count === 1 ? "1 host" : `${count} hosts`);
