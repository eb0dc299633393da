import { retry } from "../base/retry.ts";
import type { Connection } from "./connect/connection.ts";
import { explainNatsError, isMissing, isTransient } from "./connect/nats-errors.ts";

/**
 * Milliseconds for one request. It is short because what matters is tried again: a server that is killed or whose
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

/**
 * Tries a call to NATS until it has an outcome. A daemon goes on until the signal aborts; a command for some
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
  const giveUpAt = role === "daemon" ? Number.POSITIVE_INFINITY : clock.monotonic() + commandPatienceMs;
  try {
    return await retry({
      policy: { ...policy, attempts: maxAttempts },
      clock,
      signal,
      async attempt(number) {
        await connection.whenConnected(signal);
        return connection.whileConnected(attempt(number), signal);
      },
      // A server that has just started may not have its streams yet; a command says so instead of waiting.
      isTransient: (error) =>
        clock.monotonic() <= giveUpAt && (isTransient(error) || (role === "daemon" && isMissing(error))),
      onRetry: (error, _, delayMs) =>
        log.warn({ err: explainNatsError(error, doing, connection), delayMs }, "NATS call is tried again"),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw explainNatsError(error, doing, connection);
  }
}
