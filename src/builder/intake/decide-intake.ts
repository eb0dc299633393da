// Whether another request may be taken, seen from the event stream. A full stream drops its oldest events: after many
// builds that say much, those of builds that still run, or that somebody wants to look at.
import { fullBytes } from "../record/event-budget.ts";
import type { Priority } from "../../protocol/request.ts";
import type { EventSpace } from "../../bus/bus.ts";

export interface IntakeFacts {
  readonly priority: Priority;
  readonly space: EventSpace;
  /** The builds that we hold and those that we are about to hold. */
  readonly builds: number;
  /** How many of them have no verdict, as far as they are known. */
  readonly openHosts: number;
  /** When each of the builds that we hold was accepted. */
  readonly starts: readonly Date[];
  readonly now: Date;
}

/** The rest is for running builds. Batch requests also leave some to requests that somebody waits for. */
const fullAt = { interactive: 0.9, batch: 0.8 };
const keptBuilds = { interactive: 0, batch: 4 };
/** For so long everybody can read how a build ended. */
const keptMs = 3_600_000;
/** A build whose first event is so close to the oldest one is the next to lose it. */
const closeMs = 60_000;
/** Bytes that a build may still write: a host has two texts of up to 8 KiB, and a build its failures and warnings. */
const buildBytes = 2 * fullBytes + 64 * 1024;
const hostBytes = 16 * 1024;

export function decideIntake({
  priority,
  space,
  builds,
  openHosts,
  starts,
  now,
}: IntakeFacts): "take" | "wait" {
  const { bytes, maxBytes, oldestAt, newestAt } = space;
  if (maxBytes <= 0) return "take";
  const full = fullAt[priority];
  const room = maxBytes * Math.max(1 - full, 1 - bytes / maxBytes);
  // One build is always taken: its host may need more than a small stream has.
  const needed = (builds + keptBuilds[priority]) * buildBytes + openHosts * hostBytes;
  if (builds > 0 && needed > room) return "wait";
  if (bytes < full * maxBytes) return "take";
  const isNeeded = starts.some(
    (start) => oldestAt >= start && oldestAt.getTime() - start.getTime() < closeMs,
  );
  // Our clock may be behind the server's.
  const spanMs = Math.max(now.getTime(), newestAt.getTime()) - oldestAt.getTime();
  return isNeeded || spanMs < keptMs ? "wait" : "take";
}
