import { hasNoChanges, statusOf, type BuildState } from "../protocol/build-state.ts";
import { hostOutcomes, hostVerdicts, isOwnFault, type HostOutcome } from "../protocol/verdicts.ts";
import { formatDuration } from "./duration.ts";
import { hosts } from "./host-names.ts";
import { countHosts, verdictWords, type HostCounts } from "./verdict-words.ts";

/** One sentence on how a build stands: `1 of 6 hosts failed in 4m15s (4 built, 1 unchanged)`. Plain text of ours. */
export function closingSentence(state: BuildState): string {
  const counts = countHosts(state.hosts.values());
  const took = durationOf(state);
  const inTime = took === undefined ? "" : ` in ${took}`;
  const after = took === undefined ? "" : ` after ${took}`;
  const rest = (...said: readonly HostOutcome[]): string => inBrackets(restOf(state, counts, said));
  switch (statusOf(state)) {
    case "succeeded":
      return `${hosts(counts.success)} succeeded${inTime}${rest()}`;
    case "failed":
      if (counts.total === 0) return `The hosts could not be listed${inTime}`;
      return `${counts.ownFault} of ${hosts(counts.total)} failed${inTime}${rest(...ownFaults)}`;
    case "infra-failed":
      if (counts.total === 0)
        return `The hosts could not be listed because of an infrastructure fault${after}`;
      if (lacksOnlyBuilders(state))
        return `No builder for ${counts.byVerdict.get("skipped") ?? 0} of ${hosts(counts.total)}${after}${rest()}`;
      return `${counts.infraFailed + counts.open} of ${hosts(counts.total)} got no verdict because of an infrastructure fault${after}${rest("infra-failed")}`;
    case "internal-error":
      return counts.bug + counts.open === 0
        ? `A bug in homelab-deploy ended the build${after}${rest()}`
        : `${counts.bug + counts.open} of ${hosts(counts.total)} got no verdict because of a bug in homelab-deploy${after}${rest("internal-error")}`;
    case "cancelled":
      return `Cancelled${after}${rest()}`;
    case "rejected":
      return hasNoChanges(state) ? "No host has changed" : "The build was rejected";
    case "expired":
      return "The request expired before a builder took it";
    case "queued":
      return "No builder has taken the build yet";
    case "running":
      return `${counts.total - counts.open} of ${hosts(counts.total)} done so far${rest()}`;
  }
}

/** Nothing else keeps it from success than hosts that were skipped: nothing has a fault, and a retry would end alike. */
export function lacksOnlyBuilders(state: BuildState): boolean {
  const { byVerdict, success, total } = countHosts(state.hosts.values());
  const skipped = byVerdict.get("skipped") ?? 0;
  return state.reason === undefined && skipped > 0 && success + skipped === total;
}

const ownFaults: readonly HostOutcome[] = hostVerdicts.filter(isOwnFault);

/** Everything that the sentence did not say yet: hosts and their sum must be accounted for. */
function restOf(state: BuildState, counts: HostCounts, said: readonly HostOutcome[]): string[] {
  const verdicts = [...counts.byVerdict].filter(
    ([verdict]) => !said.includes(verdict) && verdict !== "skipped",
  );
  const skipped = state.skipped.length + (counts.byVerdict.get("skipped") ?? 0);
  const openIsSaid = ["infra-failed", "running", "internal-error"].includes(statusOf(state));
  return [
    ...verdicts
      .toSorted(([a], [b]) => hostOutcomes.indexOf(a) - hostOutcomes.indexOf(b))
      .map(([verdict, count]) => `${count} ${shortWords[verdict]}`),
    ...(counts.open > 0 && !openIsSaid ? [`${counts.open} without a verdict`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
}

const shortWords: Readonly<Record<HostOutcome, string>> = {
  ...verdictWords,
  "eval-failed": "failed to evaluate",
  "build-failed": "failed to build",
  "infra-failed": "hit by infrastructure faults",
  "internal-error": "hit by a bug in homelab-deploy",
};

const inBrackets = (parts: readonly string[]): string => (parts.length === 0 ? "" : ` (${parts.join(", ")})`);

/** How long the build took, where that is known. */
export function durationOf(state: Pick<BuildState, "durationMs">): string | undefined {
  return state.durationMs === undefined ? undefined : formatDuration(state.durationMs);
}
