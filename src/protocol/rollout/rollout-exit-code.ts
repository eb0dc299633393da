// What a command that waited for a rollout exits with.
import { deployCodes, worstExitCode } from "../deploy/deploy-codes.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Rollout, RolloutHost } from "./rollout.ts";
import type { RolloutOutcome } from "./rollout-events.ts";

const { success, failed, unavailable, refused } = exitCodes;

const ofOutcome: Readonly<Record<RolloutOutcome, number>> = {
  completed: success,
  "completed-with-absent": unavailable,
  failed,
  aborted: unavailable,
  superseded: unavailable,
};

/** Undefined while it runs. A host that does not run what it should is never success. */
export function rolloutExitCode({ end, hosts }: Pick<Rollout, "end" | "hosts">): number | undefined {
  if (end === undefined) return undefined;
  return worstExitCode([ofOutcome[end.outcome], ...[...hosts.values()].map(exitCodeOfRolloutHost)]);
}

/** Once its rollout is over. */
export function exitCodeOfRolloutHost({
  status,
  reboot,
  result,
}: Pick<RolloutHost, "status" | "reboot" | "result">): number {
  if (reboot === "failed") return failed;
  switch (status) {
    case "done":
    case "unchanged":
      return success;
    case "failed":
      return result?.outcome === "rejected" && result.code !== undefined ? deployCodes[result.code] : failed;
    case "undone":
      return failed;
    case "held":
    case "refused":
      return refused;
    case "absent":
    case "overtaken":
    case "waiting":
    case "ordered":
      return unavailable;
  }
}
