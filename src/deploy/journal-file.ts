// The journal as a file of JSON lines. The first line is the head; of a crash only the last line can be torn.
import { randomBytes } from "node:crypto";
import { chmod, open, rm, truncate, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { hasCode, HomelabError } from "../base/errors.ts";
import { readBounded } from "../base/files/read-bounded.ts";
import { makeDirectory } from "../base/files/make-directory.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import { jsonOrNothing } from "../base/json.ts";
import type { HostName, RepoName } from "../protocol/names.ts";
import type { DeployEvent } from "../protocol/deploy/deploy-events.ts";
import { memoryOf } from "./host-memory.ts";
import {
  decodeJournalHead,
  decodeJournalLine,
  journalFile,
  journalVersion,
  storedLine,
  type Journal,
  type JournalHead,
  type JournalLine,
} from "./journal.ts";

/** A larger file is replaced by a shorter one when it is opened; its head keeps what is needed from the removed lines. */
const fullBytes = 4 * 1024 * 1024;
const maxBytes = 64 * 1024 * 1024;
/** The shorter file keeps these: NATS may not have them yet. */
const keptLines = 200;
/** Room on the disk that is given up to the lines of a host that goes back while the disk is full. */
const reserveFile = "reserve";
const reserveBytes = 512 * 1024;
const reservePieceBytes = 64 * 1024;

export interface JournalOptions {
  readonly directory: string;
  readonly repo: RepoName;
  readonly host: HostName;
  readonly bootId: string;
  readonly clock: Clock;
}

export interface JournalContent {
  readonly head: JournalHead;
  readonly lines: readonly JournalLine[];
}

/**
 * For readers, such as the listener: what the journal says now.
 *
 * @returns undefined while there is no journal
 * @throws HomelabError `config` `JOURNAL_NEWER`, `HOST_JOURNAL_DAMAGED`
 */
export async function readJournal(directory: string): Promise<JournalContent | undefined> {
  const file = join(directory, journalFile);
  const text = await readBounded(file, maxBytes).then(
    (read) => read.text,
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    },
  );
  return text === undefined || text === "" ? undefined : parseJournal(text, file);
}

/** @throws HomelabError, see `readJournal` */
export function parseJournal(text: string, file: string): JournalContent {
  // A line without its end was never finished: nothing that it announces was done.
  const [first = "", ...rest] = text.split("\n").slice(0, -1);
  const value = jsonOrNothing(first);
  refuseNewer(value, file);
  const head = decodeJournalHead(value);
  if (head === undefined) throw unreadable(file, "its first line is not the head of a journal");
  const lines: JournalLine[] = [];
  for (const [index, each] of rest.entries()) {
    if (each === "") continue;
    const raw = jsonOrNothing(each);
    refuseNewer(raw, file);
    const line = decodeJournalLine(raw);
    if (line !== undefined) {
      lines.push(line);
    } else if (rest.slice(index + 1).some((later) => later !== "")) {
      throw unreadable(file, `line ${index + 2} cannot be read, and is not the last one`);
    }
  }
  return { head, lines };
}

function refuseNewer(value: unknown, file: string): void {
  if (typeof value !== "object" || value === null || !("v" in value)) return;
  if (typeof value.v === "number" && value.v > journalVersion) {
    throw new HomelabError("config", `${file} was written by a newer homelab-deploy`, {
      code: "JOURNAL_NEWER",
      hint: "leave it to that release, which resumes when its system runs again",
    });
  }
}

const unreadable = (file: string, why: string): HomelabError =>
  new HomelabError("config", `the journal ${file} cannot be read: ${why}`, {
    code: "HOST_JOURNAL_DAMAGED",
    hint: "move it away; the host then starts a new journal, and obeys only orders issued after that",
  });

/** For the one process that deploys. Everybody in the directory's group may read. */
export async function openJournal(options: JournalOptions): Promise<Journal & AsyncDisposable> {
  const { directory, clock, repo, host, bootId } = options;
  const path = join(directory, journalFile);
  await makeDirectory(directory, { mode: 0o750 });
  const found = await readJournal(directory);
  const content = found ?? { head: firstHead(clock.now()), lines: [] };
  const size = found === undefined ? undefined : await sizeOf(path);
  const kept = size === undefined || size > fullBytes ? shortened(content) : content;
  if (kept !== content || found === undefined) {
    await replaceFile(path, textOf(kept), { mode: 0o640, flush: true });
    await chmod(path, 0o640);
  }
  const file = await open(path, "a");
  await endTornLine(path, file);
  let end = (await file.stat()).size;
  let index = memoryOf(kept.head, kept.lines).nextIndex;
  const lines = [...kept.lines];
  const reserve = join(directory, reserveFile);
  await fillReserve(reserve);

  async function write(bytes: Uint8Array): Promise<void> {
    try {
      await file.appendFile(bytes);
      await file.datasync();
    } catch (error) {
      // Half a line if the disk is full: a retry must not write after it.
      await file.truncate(end).catch(() => undefined);
      throw error;
    }
  }

  return {
    head: kept.head,
    lines,
    async append({ event, ...extra }) {
      const at = clock.now().toISOString();
      const whole: DeployEvent = { ...event, repo, host, index, at };
      const line: JournalLine = { v: journalVersion, event: whole, bootId, ...extra };
      // What nobody can read again would damage all that follows it.
      if (decodeJournalLine(line) === undefined) throw new TypeError(`this is not a line: ${event.type}`);
      const bytes = Buffer.from(`${JSON.stringify(storedLine(line))}\n`);
      await write(bytes).catch(async (error: unknown) => {
        // A new system may have filled the disk, and going back from it takes a few lines.
        if (!hasCode(error, "ENOSPC") || !(await giveUpReserve(reserve))) throw error;
        await write(bytes);
      });
      end += bytes.length;
      index++;
      lines.push(line);
      return line;
    },
    async [Symbol.asyncDispose]() {
      await file.close();
    },
  };
}

/** A disk that is full already has no reserve. */
async function fillReserve(path: string): Promise<void> {
  if ((await sizeOf(path).catch(() => 0)) > 0) return;
  // Not zeros: some file systems would store nothing for them.
  await writeFile(path, randomBytes(reserveBytes), { mode: 0o600, flush: true }).catch(() =>
    rm(path, { force: true }),
  );
}

/** A piece at a time: whatever fills the disk takes what is free, too. @returns whether there was one */
async function giveUpReserve(path: string): Promise<boolean> {
  const size = await sizeOf(path).catch(() => 0);
  if (size === 0) return false;
  await truncate(path, Math.max(0, size - reservePieceBytes));
  return true;
}

const firstHead = (now: Date): JournalHead => ({
  nextIndex: 0,
  serial: 0,
  firstStart: now.toISOString(),
  completed: [],
  isStuck: false,
});

/** The last lines, and of the others what is remembered; those of a deployment under way all stay. */
function shortened({ head, lines }: JournalContent): JournalContent {
  const { current } = memoryOf(head, lines);
  const begun =
    current === undefined ? lines.length : lines.findLastIndex(({ event }) => event.type === "received");
  const from = Math.max(0, Math.min(begun, lines.length - keptLines));
  const start = lines.findIndex(({ event }, index) => index >= from && event.type === "received");
  const cut = start < 0 ? from : Math.min(start, begun);
  const { nextIndex, serial, lastOrder, clockFloor, firstStart, completed, previous, isStuck, counts } =
    memoryOf(head, lines.slice(0, cut));
  return {
    head: {
      nextIndex,
      serial,
      lastOrder,
      clockFloor,
      firstStart,
      completed: [...completed],
      previous,
      isStuck,
      counts,
    },
    lines: lines.slice(cut),
  };
}

const textOf = ({ head, lines }: JournalContent): string =>
  [{ v: journalVersion, head }, ...lines.map(storedLine)].map((line) => `${JSON.stringify(line)}\n`).join("");

async function sizeOf(path: string): Promise<number> {
  await using file = await open(path);
  return (await file.stat()).size;
}

/** What comes next begins on a line of its own. */
async function endTornLine(path: string, file: FileHandle): Promise<void> {
  const { text } = await readBounded(path, maxBytes);
  if (text.endsWith("\n")) return;
  await file.truncate(Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)));
}
