// Which lines of the journal NATS does not have yet. The stream may have been emptied, the journal may have been replaced
// with the host, and either side may have been started again in between.
import { isDeepStrictEqual } from "node:util";
import {
  decodeDeployEvent,
  encodeDeployEvent,
  type DeployEvent,
} from "../../protocol/deploy/deploy-events.ts";
import type { JournalLine } from "../journal.ts";

/**
 * @param stored the newest event of this host that NATS has
 * @returns what follows it; everything, if that event is not from this journal
 */
export function decideUnpublished(
  lines: readonly Pick<JournalLine, "event">[],
  stored: DeployEvent | undefined,
): readonly DeployEvent[] {
  const events = lines.map(({ event }) => event);
  const [first] = events;
  if (stored === undefined || first === undefined) return events;
  const at = stored.index - first.index;
  const own = events[at];
  return own !== undefined && isSameEvent(own, stored) ? events.slice(at + 1) : events;
}

/** Both as a reader has them. */
const isSameEvent = (a: DeployEvent, b: DeployEvent): boolean => isDeepStrictEqual(asRead(a), asRead(b));
const asRead = (event: DeployEvent): DeployEvent => decodeDeployEvent(encodeDeployEvent(event));
