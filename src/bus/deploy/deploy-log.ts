// The log of a host's deployments as messages. Events are numbered by the host's journal, and a host that was reinstalled begins
// a new journal: its numbers then start again, at a later time.
import type { Log } from "../../base/log.ts";
import { decodeDeployEvent, type DeployEvent } from "../../protocol/deploy/deploy-events.ts";
import type { HostAddress } from "../deploy-bus.ts";
import { messageIdOf } from "../message-ids.ts";
import type { StoredMessage } from "../stored-messages.ts";

/** The same id for the same line of the same journal. */
export const deployEventMessageId = ({
  repo,
  host,
  index,
  at,
}: Pick<DeployEvent, "repo" | "host" | "index" | "at">): string =>
  `${repo}.${host}:${index}:${Date.parse(at)}`;

/** A message that was sent again, because the server took it for one that it does not have any more, has an id of its own. */
const isIdOf = (id: string, event: DeployEvent): boolean =>
  id === deployEventMessageId(event) || id.startsWith(`${deployEventMessageId(event)}:`);

/** Undefined, with a warning, if it is not an event of this host, or if this release cannot read it. */
export function readDeployEvent(
  { repo, host }: HostAddress,
  { data, headers, sequence }: StoredMessage,
  log: Log,
): DeployEvent | undefined {
  try {
    const event = decodeDeployEvent(data);
    if (event.repo === repo && event.host === host && isIdOf(messageIdOf(headers), event)) return event;
    log.warn({ repo, host, sequence }, "this message is not an event of the host and is left out");
  } catch (error) {
    log.warn({ repo, host, sequence, err: error }, "a deployment event cannot be read and is left out");
  }
  return undefined;
}

/** Takes the stored messages of one host in order, and gives each event once. */
export interface DeployLog {
  /** `isNew` for the first one of another journal: what was given before is of a host that was reinstalled since. */
  accept(message: StoredMessage): { readonly event: DeployEvent; readonly isNew: boolean } | undefined;
}

export function createDeployLog(address: HostAddress, log: Log): DeployLog {
  let last: DeployEvent | undefined;
  return {
    accept(message) {
      const event = readDeployEvent(address, message, log);
      if (event === undefined) return undefined;
      const isBehind = last !== undefined && event.index <= last.index;
      if (isBehind && Date.parse(event.at) <= Date.parse(last?.at ?? "")) return undefined;
      last = event;
      return { event, isNew: isBehind };
    },
  };
}
