// News that have to be told, also when nobody can be reached just now: each is a file until it is told.
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { replaceFile } from "../../base/files/replace-file.ts";
import {
  decodeUpdateEvent,
  encodeUpdateEvent,
  updateEventId,
  type UpdateEvent,
} from "../../protocol/update-events.ts";

export interface Outbox {
  /**
   * Keeps the news, and tells it if possible. Never fails: what is told changes nothing in what happened. The newest
   * stay in `last-event.json` beside the directory, for those who are not told.
   */
  put(event: UpdateEvent, signal: AbortSignal): Promise<void>;
  /** Tells what is left from earlier runs. */
  flush(signal: AbortSignal): Promise<void>;
}

/** Somebody who is told; may throw, and is told again by a later run then. */
export type Teller = (event: UpdateEvent, signal: AbortSignal) => Promise<void>;

const mostKept = 200;

export function createOutbox(directory: string, tell: Teller, log: Log): Outbox {
  async function flush(signal: AbortSignal): Promise<void> {
    const names = (await readdir(directory).catch(() => []))
      .filter((name) => name.endsWith(".json"))
      .toSorted();
    for (const name of names.slice(0, -mostKept)) await rm(join(directory, name), { force: true });
    for (const name of names.slice(-mostKept)) {
      try {
        await tell(decodeUpdateEvent(await readFile(join(directory, name))), signal);
        await rm(join(directory, name), { force: true });
      } catch (error) {
        if (signal.aborted) return;
        const advice = error instanceof HomelabError ? { code: error.code, hint: error.hint } : {};
        log.warn(
          { news: name, err: error, ...advice },
          "news of an update could not be told; the next run tries again",
        );
      }
    }
  }
  return {
    flush,
    async put(event, signal) {
      try {
        const news = encodeUpdateEvent(event);
        await replaceFile(join(directory, `${updateEventId(event)}.json`), news, { flush: true });
        await replaceFile(join(dirname(directory), "last-event.json"), news);
      } catch (error) {
        log.warn({ err: error }, "news of an update could not be kept");
      }
      await flush(signal);
    },
  };
}

/** One for each of those who are told: nobody waits for, or hears twice because of, another who is out of reach. */
export const combineOutboxes = (outboxes: readonly Outbox[]): Outbox => ({
  async put(event, signal) {
    for (const outbox of outboxes) await outbox.put(event, signal);
  },
  async flush(signal) {
    for (const outbox of outboxes) await outbox.flush(signal);
  },
});
