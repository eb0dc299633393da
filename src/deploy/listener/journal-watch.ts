// The journal as the listener sees it: read again whenever its file has changed. Only the activator writes it.
import { stat, watch } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { createNotifier, type Notifier } from "../../base/notifier.ts";
import { messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { memoryOf, type HostMemory } from "../host-memory.ts";
import { readJournal, type JournalContent } from "../journal-file.ts";
import { journalFile } from "../journal.ts";

export interface JournalView extends JournalContent {
  readonly memory: HostMemory;
}

export interface JournalWatch {
  /** Undefined while there is no journal that this release can read. */
  view(): JournalView | undefined;
  /** Rings at every change, and once for what is there already. Each reader takes one of its own. */
  notifier(): Notifier;
  /** Reads it now. */
  refresh(): Promise<void>;
  /** Keeps it up to date until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** A change that the kernel has not told about, as on some overlay file systems, is found after this. */
const lookEveryMs = 5000;

export function watchJournal(directory: string, clock: Clock, log: Log): JournalWatch {
  const file = join(directory, journalFile);
  const notifiers = new Set<Notifier>();
  let view: JournalView | undefined;
  let seen = "";
  let complaint = "";

  const notifyAll = (): void => notifiers.forEach((notifier) => notifier.notify());

  async function refresh(): Promise<void> {
    const mark = await stat(file).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      () => "",
    );
    if (mark === seen && view !== undefined) return;
    try {
      const content = await readJournal(directory);
      view = content && { ...content, memory: memoryOf(content.head, content.lines) };
      seen = mark;
      complaint = "";
    } catch (error) {
      // A newer release has written it: what this one would say about it could be wrong.
      view = undefined;
      if (messageOf(error) !== complaint)
        log.error({ err: error }, "the journal of deployments cannot be read");
      complaint = messageOf(error);
    }
    notifyAll();
  }

  async function hear(signal: AbortSignal, changed: Notifier): Promise<void> {
    while (!signal.aborted) {
      try {
        // The directory: the file is replaced when it has grown too long.
        for await (const _ of watch(directory, { signal })) changed.notify();
      } catch (error) {
        if (signal.aborted) return;
        log.debug({ error: messageOf(error) }, "the journal's directory cannot be watched");
        await clock.sleep(lookEveryMs, signal).catch(() => undefined);
      }
    }
  }

  async function tick(signal: AbortSignal, changed: Notifier): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(lookEveryMs, signal).catch(() => undefined);
      changed.notify();
    }
  }

  return {
    view: () => view,
    notifier() {
      const notifier = createNotifier();
      notifier.notify();
      notifiers.add(notifier);
      return notifier;
    },
    refresh,
    async run(signal) {
      const changed = createNotifier();
      const background = [hear(signal, changed), tick(signal, changed)];
      while (!signal.aborted) {
        await refresh();
        await changed.wait(signal).catch(() => undefined);
      }
      await Promise.all(background);
    },
  };
}
