// Whether two hosts of one role were ever down at once because of a rollout, by what the hosts wrote down themselves. Pure.
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import { foldDeployEvents, type Deployment } from "../../../src/protocol/deploy/deployment.ts";
import { knownAfterMs } from "./known-after.ts";

interface Span {
  readonly host: string;
  readonly order: string;
  readonly isByHand: boolean;
  readonly from: number;
  readonly to: number;
}

/** Two of one role are never down because of a rollout. A person who comes second does what they want. */
export function judgeRoles(
  journals: Readonly<Record<string, readonly DeployEvent[]>>,
  roles: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const spans = Object.entries(journals).flatMap(([host, journal]) =>
    foldDeployEvents(journal).deployments.flatMap((deployment) => spanOf(host, deployment)),
  );
  return spans.flatMap((second) =>
    spans
      .filter(
        (first) =>
          first.host !== second.host &&
          roles[first.host] !== undefined &&
          roles[first.host] === roles[second.host] &&
          !second.isByHand &&
          first.from + (first.isByHand ? 2 * knownAfterMs : 0) < second.from &&
          second.from < first.to,
      )
      .map(
        (first) =>
          `${second.host} (${second.order}) beside ${first.host} (${first.order}${first.isByHand ? ", by hand" : ""}), both ${roles[first.host]}`,
      ),
  );
}

function spanOf(host: string, { phases, order, received, end }: Deployment): readonly Span[] {
  const since = phases.find(({ phase }) => phase === "activating" || phase === "rebooting")?.since;
  if (since === undefined) return [];
  const to = end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end.at);
  return [
    { host, order: order ?? "", isByHand: received?.rollout === undefined, from: Date.parse(since), to },
  ];
}
