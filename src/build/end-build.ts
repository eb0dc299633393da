// The end of a build that nobody works on to its end: what is said of the hosts that have no verdict, and of the whole.
import { openHosts, type BuildState } from "../protocol/build-state.ts";
import { inEvents } from "../protocol/event-parts.ts";
import type { EventBody, EventOf } from "../protocol/events.ts";
import { decideBuildVerdict } from "../protocol/verdicts.ts";

export interface Ending {
  /** Of the hosts that have none. */
  readonly verdict: "infra-failed" | "cancelled";
  readonly reason: string;
  readonly code?: EventOf<"finished">["code"];
}

/** The last events of an accepted build. Verdicts that its hosts have stay, and count. */
export function endingOf(state: BuildState, { verdict, reason, code }: Ending, now: Date): EventBody[] {
  const startedAt = state.startedAt === undefined ? now.getTime() : Date.parse(state.startedAt);
  const durationMs = Math.max(0, now.getTime() - startedAt);
  const hosts = openHosts(state).map(({ repo, host }) => ({ repo, host, verdict, reason, durationMs }));
  const verdicts = [...state.hosts.values()].map((host) => host.finished?.verdict ?? verdict);
  // Hosts that were never named have no verdict either.
  if (state.isPartial === true || state.unresolved !== undefined) verdicts.push(verdict);
  const finished: EventOf<"finished"> = {
    type: "finished",
    verdict: decideBuildVerdict(verdicts),
    reason,
    ...(code === undefined ? {} : { code }),
    durationMs,
  };
  const bodies: EventBody[] = hosts.length === 0 ? [finished] : [{ type: "hosts-finished", hosts }, finished];
  return bodies.flatMap(inEvents);
}
