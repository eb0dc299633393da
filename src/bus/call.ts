import { retry } from "../base/retry.ts";
import type { Connection } from "./connect/connection.ts";
import { TimeoutError } from "@nats-io/transport-node";
import { isClustered, isServedByOthers } from "./connect/describe-missing.ts";
import { leaveAfterMs } from "./connect/leave-server.ts";
import { explainNatsError, isLeaderless, isMissing, isTransient } from "./connect/nats-errors.ts";

/**
 * Milliseconds for one request. It is short because what matters is retried: a server that is killed or whose
 * disk is full does not say so.
 */
export const requestTimeoutMs = 2000;

const policy = {
  firstDelayMs: 100,
  factor: 2,
  maxDelayMs: 5000,
};
/** A person is waiting: after so long without an answer a command gives up. */
const commandPatienceMs = 15_000;
/** A person is waiting: there may be a leader again in a moment. */
const commandDelayMs = 1000;
/**
 * A cluster that has lost a node has no leader for a stream until another one is elected, which takes up to ten seconds. A
 * leaf node finds its hub again after some seconds.
 */
export const electionPatienceMs = 30_000;

/**
 * Tries a call to NATS until it has an outcome. A daemon continues until the signal aborts; a command for some
 * seconds. The attempt must be safe to repeat when its outcome is unknown.
 *
 * @param doing for messages: `store the request`.
 * @throws HomelabError as `explainNatsError` says; whatever else the attempt throws; the signal's reason.
 */
export async function call<T>(
  connection: Connection,
  doing: string,
  signal: AbortSignal,
  attempt: (number: number) => Promise<T>,
  maxAttempts: number = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { clock, log, role } = connection;
  const startedAt = clock.monotonic();
  const isPatient = (): boolean =>
    role === "daemon" ||
    clock.monotonic() - startedAt <= (isServedByOthers(connection) ? electionPatienceMs : commandPatienceMs);
  try {
    return await retry({
      policy: {
        ...policy,
        ...(role === "command" ? { maxDelayMs: commandDelayMs } : {}),
        attempts: maxAttempts,
      },
      clock,
      signal,
      async attempt(number) {
        await connection.whenConnected(signal);
        return connection.whileConnected(attempt(number), signal);
      },
      // A server that has just started may not have its streams yet; a command says so instead of waiting.
      isTransient: (error) =>
        isPatient() &&
        (isTransient(error) ||
          (role === "daemon" && isMissing(error)) ||
          (isServedByOthers(connection) && isLeaderless(error))),
      onRetry(error, _, delayMs) {
        log.warn({ err: explainNatsError(error, doing, connection), delayMs }, "NATS call is tried again");
        if (clock.monotonic() - startedAt >= leaveAfterMs) leaveLeaderless(connection, error);
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    throw explainNatsError(error, doing, connection);
  }
}

/** The rest of its cluster may have a leader. */
export function leaveLeaderless(connection: Connection, error: unknown): void {
  if (isClustered(connection) && (isLeaderless(error) || error instanceof TimeoutError))
    connection.leaveServer();
}

/**
 * One attempt at a server that is alone, which says what it lacks. In a cluster it may be an election that is under way, so
 * there it is tried like any other call. Throws what `call` throws.
 */
export const callPatiently = async <T>(
  connection: Connection,
  doing: string,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> => call(connection, doing, signal, attempt, isServedByOthers(connection) ? undefined : 1);
