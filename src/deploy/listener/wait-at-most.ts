import type { Clock } from "../../base/clock.ts";
import type { Notifier } from "../../base/notifier.ts";

/** Until it is notified, or the time is over, or the signal aborts; whichever comes first. */
export async function waitAtMost(
  notifier: Notifier,
  milliseconds: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([notifier.wait(either), clock.sleep(Math.max(0, milliseconds), either)]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
  }
}
