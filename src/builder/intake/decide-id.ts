// Whether an id that a client chose is of the time of its message. Ids order builds by their time: one of the future
// would be the newest forever, and one of a build whose events are gone could give it another verdict.
import type { BuildId } from "../../protocol/names.ts";
import { timeOf } from "../../protocol/ulid.ts";

const hourMs = 3_600_000;
/** Clocks differ by less than this. */
const aheadMs = hourMs;
/** A request may not wait this long, and events are kept for longer. */
const behindMs = 10 * 24 * hourMs;

export function decideId(id: BuildId, storedAt: Date): "timely" | "future" | "past" {
  const ageMs = storedAt.getTime() - timeOf(id).getTime();
  if (ageMs < -aheadMs) return "future";
  return ageMs > behindMs ? "past" : "timely";
}
