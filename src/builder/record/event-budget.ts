// How much one build may say in its events. What failed is told to every build that needs it, and each failure brings
// the end of its log: without a bound, a few builds of a host with many failures fill the event stream.
import { boundedText, type EventBody } from "../../protocol/events.ts";

/** Bytes. So much is said in full; as much again in short. */
export const fullBytes = 192 * 1024;

/** Said once, when something is left out for the first time. */
export const leftOut: EventBody = {
  type: "warning",
  message: "too many failures and warnings to list them all here; see the logs for the rest",
};

/**
 * The event as it is stored by a build that has already used so many bytes. At first failures lose the tail of their
 * log, which is stored as a log anyway, and hosts lose their warnings; later, failures and warnings are dropped.
 * Verdicts are never dropped.
 */
export function withinBudget(body: EventBody, saidBytes: number): EventBody | undefined {
  if (saidBytes < fullBytes) return body;
  if (body.type === "warning") return undefined;
  if (body.type === "evaluated") {
    return body.hosts.every(({ warnings }) => warnings === undefined)
      ? body
      : { ...body, hosts: body.hosts.map((host) => ({ ...host, warnings: undefined })) };
  }
  if (body.type !== "derivation-failed") return body;
  return saidBytes < 2 * fullBytes ? { ...body, reason: boundedText(body.reason, 300), tail: [] } : undefined;
}

/** How many bytes of an event count: not what every host has, however many hosts there are. */
export function countedBytes(body: EventBody): number {
  const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
  if (body.type === "evaluated") {
    return body.hosts.reduce((sum, { warnings }) => sum + (warnings === undefined ? 0 : bytes(warnings)), 0);
  }
  return body.type === "derivation-failed" || body.type === "warning" ? bytes(body) : 0;
}
