// The end of a build that nobody works on to its end: what is said about the hosts that have no verdict, and of the whole.
import { internalCode, isBug, isUnavailable, messageOf } from "../../base/errors.ts";
import { NotTheHolderError } from "../../bus/bus.ts";
import { openHosts, statusOf, type BuildState } from "../../protocol/build-state.ts";
import { inEvents } from "../../protocol/event-parts.ts";
import type { EventBody, EventOf } from "../../protocol/events.ts";
import { decideBuildVerdict, outcomeOf } from "../../protocol/verdicts.ts";
import { bugReason } from "../decide-verdicts.ts";

export interface Ending {
  /** The verdict of hosts that do not have one. */
  readonly verdict: "infra-failed" | "cancelled";
  readonly reason: string;
  readonly code?: EventOf<"finished">["code"];
}

/** A build that what was thrown keeps from going on. */
export const endingBy = (thrown: unknown, doing: string): Ending =>
  isBug(thrown)
    ? { verdict: "infra-failed", reason: bugReason(thrown), code: internalCode }
    : { verdict: "infra-failed", reason: `${doing}: ${messageOf(thrown)}` };

export const isSuperseded = (error: unknown): boolean => error instanceof NotTheHolderError;

export interface LastEvents {
  readonly hosts: readonly EventBody[];
  readonly finished: EventOf<"finished">;
}

/** The last events of an accepted build. Verdicts that its hosts have stay, and count. */
export function endingOf(state: BuildState, { verdict, reason, code }: Ending, now: Date): LastEvents {
  const startedAt = state.startedAt === undefined ? now.getTime() : Date.parse(state.startedAt);
  const durationMs = Math.max(0, now.getTime() - startedAt);
  const bug = code === internalCode ? { code } : {};
  const hosts = openHosts(state).map(({ repo, host }) => ({
    repo,
    host,
    verdict,
    reason,
    ...bug,
    durationMs,
  }));
  const verdicts = [...state.hosts.values()].map((host) => host.finished?.verdict ?? verdict);
  // Hosts that were never named have no verdict either.
  if (state.isPartial === true || state.unresolved !== undefined) verdicts.push(verdict);
  const named = code ?? (hasBug(state) ? internalCode : undefined);
  const finished: EventOf<"finished"> = {
    type: "finished",
    verdict: decideBuildVerdict(verdicts),
    reason,
    code: named,
    durationMs,
  };
  return { hosts: hosts.length === 0 ? [] : inEvents({ type: "hosts-finished", hosts }), finished };
}

/** Stores them. If the hosts' events cannot be stored, the build ends all the same: without a verdict it is not a success. */
export async function storeEnding(
  { hosts, finished }: LastEvents,
  store: (body: EventBody) => Promise<unknown>,
): Promise<void> {
  try {
    for (const body of hosts) await store(body);
  } catch (error) {
    if (isSuperseded(error) || isUnavailable(error)) throw error;
  }
  for (const body of inEvents(finished)) await store(body);
}

/** A bug ended the build or one of its hosts. */
export const hasBug = (state: BuildState): boolean =>
  statusOf(state) === "internal-error" ||
  [...state.hosts.values()].some(
    ({ finished }) => finished !== undefined && outcomeOf(finished) === "internal-error",
  );
