// Checks how many servers of a cluster keep what is stored.
import { call } from "../../../bus/call.ts";
import { openManager } from "../../../bus/jetstream-api.ts";
import type { Connection } from "../../../bus/connect/connection.ts";
import { isClustered } from "../../../bus/connect/describe-missing.ts";
import { streams } from "../../../protocol/subjects.ts";
import { findingOf, ok, warning, type Finding } from "../finding.ts";

const check = "NATS copies";

/** Nothing of a server that is alone. */
export async function checkNatsCopies(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!isClustered(connection)) return [];
  try {
    const { config, cluster } = await call(connection, `read ${streams.events}`, signal, async () =>
      (await openManager(connection)).streams.info(streams.events),
    );
    const others = cluster?.replicas ?? [];
    const away = others.filter(({ offline }) => offline).map(({ name }) => name);
    return [judgeNatsCopies(config.num_replicas, away)];
  } catch (error) {
    return [findingOf(check, error)];
  }
}

/** @param away the servers that have a copy and do not answer */
export function judgeNatsCopies(copies: number, away: readonly string[]): Finding {
  if (copies < 2) {
    return warning(
      check,
      "the server is one of a cluster, and only one server has the streams: without it nothing works",
      "run with the admin's key: homelab-deploy nats setup --repair --replicas 3",
    );
  }
  if (away.length > 0) {
    return warning(
      check,
      `${copies} servers have the event log, and ${away.join(", ")} ${away.length === 1 ? "does" : "do"} not answer the others`,
      "start it, or see in its log why it does not find the cluster's routes",
    );
  }
  return ok(check, `${copies} servers have the event log`);
}
