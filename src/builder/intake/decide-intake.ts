// Whether another request may be taken, seen from the event stream. A full stream drops its oldest events: after many
// builds that say much, those of builds that still run, or that somebody wants to look at.
import type { EventSpace } from "../../bus/bus.ts";

export interface IntakeFacts {
  readonly space: Pick<EventSpace, "bytes" | "maxBytes" | "oldestAt">;
  /** The builds that we hold and those that we are about to hold, and how many hosts they have as far as is known. */
  readonly builds: number;
  readonly hosts: number;
  /** When the oldest of them was accepted; undefined without one. */
  readonly oldestStart: Date | undefined;
  readonly now: Date;
}

/** What is left is for the builds that run. */
const fullAt = 0.9;
/** For so long everybody can read how a build ended. */
const keptMs = 3_600_000;
/** Bytes that a build may still write: a host has two texts of up to 8 KiB, and a build its failures and warnings. */
const buildBytes = 256 * 1024;
const hostBytes = 16 * 1024;

export function decideIntake({ space, builds, hosts, oldestStart, now }: IntakeFacts): "take" | "wait" {
  const { bytes, maxBytes, oldestAt } = space;
  if (maxBytes <= 0) return "take";
  const room = maxBytes * Math.max(1 - fullAt, 1 - bytes / maxBytes);
  if (builds * buildBytes + hosts * hostBytes > room) return "wait";
  if (bytes < fullAt * maxBytes) return "take";
  const isNeeded = oldestStart !== undefined && oldestAt >= oldestStart;
  return isNeeded || now.getTime() - oldestAt.getTime() < keptMs ? "wait" : "take";
}
