// How a host's part of a build is said: one word and one sign for each verdict, the same in every output.
import type { HostState } from "../../protocol/build-state.ts";
import { isOwnFault, isSuccess, type HostVerdict } from "../../protocol/verdicts.ts";
import type { Style } from "./style.ts";

export const verdictWords: Readonly<Record<HostVerdict, string>> = {
  built: "built",
  unchanged: "unchanged",
  "eval-failed": "evaluation failed",
  "build-failed": "build failed",
  "timed-out": "timed out",
  "infra-failed": "infrastructure fault",
  cancelled: "cancelled",
  skipped: "skipped",
};

/** The sign of a verdict in its colour; a missing one is never shown as success. */
export function verdictSign(verdict: HostVerdict | undefined, style: Style): string {
  if (verdict === undefined) return style.yellow(style.glyphs.unknown);
  if (isSuccess(verdict)) return style.green(style.glyphs.success);
  if (isOwnFault(verdict)) return style.red(style.glyphs.failure);
  return verdict === "infra-failed" ? style.yellow(style.glyphs.fault) : style.dim(style.glyphs.waiting);
}

/** `✗ build failed`, in its colour. */
export function verdictText(verdict: HostVerdict | undefined, style: Style): string {
  const word = verdict === undefined ? "no verdict" : verdictWords[verdict];
  if (verdict === undefined || verdict === "infra-failed") {
    return `${verdictSign(verdict, style)} ${style.yellow(word)}`;
  }
  return `${verdictSign(verdict, style)} ${isOwnFault(verdict) ? style.red(word) : word}`;
}

export interface HostCounts {
  readonly total: number;
  readonly ownFault: number;
  readonly infraFailed: number;
  readonly success: number;
  readonly open: number;
  readonly byVerdict: ReadonlyMap<HostVerdict, number>;
}

export function countHosts(hosts: Iterable<HostState>): HostCounts {
  const byVerdict = new Map<HostVerdict, number>();
  let total = 0;
  let open = 0;
  for (const { finished } of hosts) {
    total++;
    if (finished === undefined) open++;
    else byVerdict.set(finished.verdict, (byVerdict.get(finished.verdict) ?? 0) + 1);
  }
  const sumOf = (counts: (verdict: HostVerdict) => boolean): number =>
    [...byVerdict].reduce((sum, [verdict, count]) => sum + (counts(verdict) ? count : 0), 0);
  return {
    total,
    open,
    byVerdict,
    ownFault: sumOf(isOwnFault),
    success: sumOf(isSuccess),
    infraFailed: byVerdict.get("infra-failed") ?? 0,
  };
}

export const hosts = (count: number): string => (count === 1 ? "1 host" : `${count} hosts`);
