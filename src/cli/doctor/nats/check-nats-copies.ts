// Checks how many servers of a cluster keep what is stored.
import type { Connection } from "../../../bus/connect/connection.ts";
import { isClustered } from "../../../bus/connect/describe-missing.ts";
import { readStreams } from "../../../bus/server/setup.ts";
import { findingOf, ok, warning, type Finding } from "../finding.ts";

const check = "NATS copies";

export interface StreamCopies {
  readonly stream: string;
  readonly copies: number;
  /** The servers that have a copy and do not answer. */
  readonly away: readonly string[];
  /** The servers whose copy lacks what others have. */
  readonly behind: readonly string[];
}

/** Nothing of a server that is alone. */
export async function checkNatsCopies(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!isClustered(connection)) return [];
  try {
    const streams = await readStreams(connection, signal);
    return [
      judgeNatsCopies(
        streams.map(({ config, cluster }): StreamCopies => {
          const others = cluster?.replicas ?? [];
          const away = others.filter(({ offline }) => offline);
          const behind = others.filter((other) => !other.current && !away.includes(other));
          const named = (servers: typeof others): readonly string[] => servers.map(({ name }) => name);
          return {
            stream: config.name,
            copies: config.num_replicas,
            away: named(away),
            behind: named(behind),
          };
        }),
      ),
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf(check, error)];
  }
}

export function judgeNatsCopies(streams: readonly StreamCopies[]): Finding {
  if (streams.length === 0)
    return warning(
      check,
      "none of the streams is there",
      "run with the admin's key: homelab-deploy nats setup",
    );
  const single = streams.filter(({ copies }) => copies < 2).map(({ stream }) => stream);
  const fewest = Math.min(...streams.map(({ copies }) => copies));
  if (single.length > 0) {
    const what =
      single.length === streams.length
        ? "the streams: without it nothing works"
        : `${single.join(", ")}: without it, what needs them does not work`;
    return warning(
      check,
      `the server is one of a cluster, and only one server has ${what}`,
      "run with the admin's key: homelab-deploy nats setup --repair --replicas 3",
    );
  }
  const away = distinct(streams.flatMap((stream) => stream.away));
  if (away.length > 0) {
    return warning(
      check,
      `${fewest} servers have each stream, and ${away.join(", ")} ${away.length === 1 ? "does" : "do"} not answer the others`,
      "start it, or see in its log why it does not find the cluster's routes",
    );
  }
  const behind = distinct(streams.flatMap((stream) => stream.behind));
  if (behind.length > 0) {
    return warning(
      check,
      `${fewest} servers have each stream, and ${behind.join(", ")} ${behind.length === 1 ? "lacks" : "lack"} what the others have`,
      "wait a minute if it has just started, and run doctor again; otherwise look into its log, and at its disk: once there is room again, restart it",
    );
  }
  return ok(check, `${fewest} servers have each stream`);
}

const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted();
