// Is this disk enough? From what was measured, never from what closures usually are.
import type { Disk } from "../base/files/disk.ts";
import type { RootsSize } from "./measure-roots.ts";

export interface DiskAnswer {
  /**
   * - `enough`, `too-small`: for what is rooted once `keepNewest` commits of every host are there
   * - `unknown`: one commit says nothing about growth
   */
  readonly verdict: "enough" | "too-small" | "unknown";
  /** How much is rooted when every host has its newest `keepNewest` commits. */
  readonly expectedBytes?: number;
  /** The disk that this wants, a fifth of it left free: below that file systems and the collector get slow. */
  readonly neededBytes?: number;
  /** Until nothing is free if nothing more were dropped. */
  readonly daysUntilFull?: number;
}

const usableShare = 0.8;

export function decideDisk(
  { newestBytes, unionBytes, usualGrowthBytes, growthBytesPerDay }: RootsSize,
  keepNewest: number,
  disk: Disk,
): DiskAnswer {
  const days =
    growthBytesPerDay === undefined || growthBytesPerDay <= 0
      ? {}
      : { daysUntilFull: Math.floor(disk.availableBytes / growthBytesPerDay) };
  if (usualGrowthBytes === undefined) return { verdict: "unknown", ...days };
  const expectedBytes = Math.max(unionBytes, newestBytes + (keepNewest - 1) * usualGrowthBytes);
  const neededBytes = Math.ceil(expectedBytes / usableShare);
  return {
    verdict: neededBytes <= disk.totalBytes ? "enough" : "too-small",
    expectedBytes,
    neededBytes,
    ...days,
  };
}
