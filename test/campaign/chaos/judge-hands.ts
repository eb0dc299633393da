// What a person was told who deployed to one host by hand, and what that host did. Pure.
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import { foldDeployEvents } from "../../../src/protocol/deploy/deployment.ts";
import type { HandDeploy } from "./person.ts";

export function judgeHands(
  hands: readonly HandDeploy[],
  journals: Readonly<Record<string, readonly DeployEvent[]>>,
): readonly string[] {
  return hands.flatMap(({ host, from, to, exitCode, said }) => {
    const ours = foldDeployEvents(journals[host] ?? []).deployments.filter(
      ({ received, startedAt }) =>
        received !== undefined &&
        received.rollout === undefined &&
        Date.parse(startedAt) >= from &&
        Date.parse(startedAt) <= to,
    );
    const isDone = ours.some(
      ({ end }) =>
        end !== undefined &&
        (end.outcome === "completed" || end.outcome === "unchanged") &&
        Date.parse(end.at) <= to,
    );
    const outcomes = ours.map(({ end }) => end?.outcome ?? "no end").join(", ");
    if (exitCode === 0 && !isDone && !said.includes("unchanged")) {
      return [`${host}, by hand: exit 0, and it is ${outcomes}: ${said.slice(-300)}`];
    }
    if ((exitCode === 1 || exitCode === 4) && isDone) {
      return [`${host}, by hand: exit ${String(exitCode)}, and it is ${outcomes}: ${said.slice(-300)}`];
    }
    return [];
  });
}
