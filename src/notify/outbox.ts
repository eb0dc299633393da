// Notifications that must be delivered even if a recipient cannot be reached now: each is a file until it is delivered.
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Notifier } from "../base/notifier.ts";
import { HomelabError } from "../base/errors.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import type { Log } from "../base/log.ts";

export interface Outbox<News> {
  /**
   * Keeps notifications until they are delivered. Never fails: they do not change what happened. The newest stay in
   * `last-event.json` beside the directory, for those who are not told.
   */
  keep(news: News): Promise<void>;
  /** Keeps the news, and tells it if possible. */
  put(news: News, signal: AbortSignal): Promise<void>;
  /** Forgets news that turn out not to be ours to tell. */
  drop(news: News): Promise<void>;
  /** Tells what is kept, oldest first. What cannot be told stays. */
  flush(signal: AbortSignal): Promise<void>;
}

/** A recipient. If it throws, the delivery is retried later. */
export type Teller<News> = (news: News, signal: AbortSignal) => Promise<void>;

/** How one kind of news is kept. */
export interface NewsFormat<News> {
  /** For warnings: `news of an update`. */
  readonly what: string;
  readonly encode: (news: News) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => News;
  /** The name of its file. Those of later news sort behind those of earlier ones. */
  readonly id: (news: News) => string;
}

const mostKept = 200;

export function createOutbox<News>(
  directory: string,
  format: NewsFormat<News>,
  tell: Teller<News>,
  log: Log,
): Outbox<News> {
  const { what } = format;
  const fileOf = (news: News): string => join(directory, `${format.id(news)}.json`);
  const outbox: Outbox<News> = {
    async flush(signal) {
      const names = (await readdir(directory).catch(() => []))
        .filter((name) => name.endsWith(".json"))
        .toSorted();
      for (const name of names.slice(0, -mostKept)) await rm(join(directory, name), { force: true });
      for (const name of names.slice(-mostKept)) {
        try {
          await tell(format.decode(await readFile(join(directory, name))), signal);
          await rm(join(directory, name), { force: true });
        } catch (error) {
          if (signal.aborted) return;
          const advice = error instanceof HomelabError ? { code: error.code, hint: error.hint } : {};
          log.warn(
            { what, news: name, err: error, ...advice },
            "a notification could not be sent; it is retried later",
          );
        }
      }
    },
    async keep(news) {
      try {
        const bytes = format.encode(news);
        await replaceFile(fileOf(news), bytes, { flush: true });
        await replaceFile(join(dirname(directory), "last-event.json"), bytes);
      } catch (error) {
        log.warn({ what, err: error }, "a notification could not be stored");
      }
    },
    async put(news, signal) {
      await outbox.keep(news);
      await outbox.flush(signal);
    },
    async drop(news) {
      await rm(fileOf(news), { force: true });
    },
  };
  return outbox;
}

/** How often a recipient that cannot be reached is retried. */
const retryMs = 300_000;

/** Tells what is kept whenever it is notified, and now and then what could not be told, until the signal aborts. */
export async function keepTelling(
  outbox: Pick<Outbox<unknown>, "flush">,
  notifier: Notifier,
  clock: Clock,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await outbox.flush(signal);
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([notifier.wait(until), clock.sleep(retryMs, until)]);
    } finally {
      over.abort();
    }
  }
}

/** One for each recipient, so that none waits, or is notified twice, because another cannot be reached. */
export function combineOutboxes<News>(outboxes: readonly Outbox<News>[]): Outbox<News> {
  const each = async (act: (outbox: Outbox<News>) => Promise<void>): Promise<void> => {
    await Promise.all(outboxes.map(act));
  };
  return {
    put: async (news, signal) => each(async (outbox) => outbox.put(news, signal)),
    keep: async (news) => each(async (outbox) => outbox.keep(news)),
    drop: async (news) => each(async (outbox) => outbox.drop(news)),
    flush: async (signal) => each(async (outbox) => outbox.flush(signal)),
  };
}
