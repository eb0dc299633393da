// How much one build may say in its events. What failed is told to every build that needs it, and each failure brings
// the end of its log: without a bound, a few builds of a host with many failures fill the event stream.
import { boundedText, type EventBody } from "../../protocol/events.ts";

/** Bytes. So much is said in full; as much again in short. */
export const fullBytes = 192 * 1024;

/**
 * What of it is said when the build has said that much already: failures without the ends of their logs, which are
 * stored as logs, hosts without their warnings, and in the end no failures and warnings at all. Verdicts are always said.
 */
export function withinBudget(body: EventBody, saidBytes: number): EventBody | undefined {
  if (saidBytes < fullBytes) return body;
  if (body.type === "warning") return undefined;
  if (body.type === "evaluated")
    return { ...body, hosts: body.hosts.map((host) => ({ ...host, warnings: undefined })) };
  if (body.type !== "derivation-failed") return body;
  return saidBytes < 2 * fullBytes ? { ...body, reason: boundedText(body.reason, 300), tail: [] } : undefined;
}

/** Bytes of it that count: those whose number does not follow from the number of hosts. */
export const countedBytes = (body: EventBody): number =>
  body.type === "derivation-failed" || body.type === "warning" || body.type === "evaluated"
    ? Buffer.byteLength(JSON.stringify(body))
    : 0;
