import type { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import { maxActivatorMessageBytes } from "../../deploy/activator-messages.ts";

/** The listener writes as soon as it is connected, so its message is there before this process. */
const firstByteMs = 2_000;
const wholeMs = 5_000;

/**
 * The first line of what somebody sends. systemd serves a few connections at a time, so whoever sends nothing, or little by
 * little, is not waited for: what has come by then is all.
 */
export async function readMessage(input: Readable, clock: Clock, signal: AbortSignal): Promise<string> {
  const ended = new AbortController();
  const waiting = AbortSignal.any([signal, ended.signal]);
  let text = "";
  // Reading waits for as long as nothing comes: only the end of the stream ends it.
  const hangUp = (): void => void input.destroy();
  async function hangUpAfter(milliseconds: number, isDue: () => boolean): Promise<void> {
    await clock.sleep(milliseconds, waiting).catch(() => undefined);
    if (!ended.signal.aborted && (signal.aborted || isDue())) hangUp();
  }
  const limits = [hangUpAfter(firstByteMs, () => text === ""), hangUpAfter(wholeMs, () => true)];
  try {
    for await (const chunk of input) {
      text += String(chunk);
      if (text.includes("\n") || text.length > maxActivatorMessageBytes) break;
    }
  } catch (error) {
    if (!input.destroyed) throw error;
  } finally {
    ended.abort();
    await Promise.all(limits);
  }
  return text.split("\n")[0] ?? "";
}
