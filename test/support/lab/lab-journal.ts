// The journal of a lab's host, as a test reads it on the host's disk: while the host works, and while it is off for a moment.
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseJournal, type JournalContent } from "../../../src/deploy/journal-file.ts";
import type { DeployEvent, DeployEventType } from "../../../src/protocol/deploy/deploy-events.ts";
import type { OrderId } from "../../../src/protocol/deploy/order.ts";
import type { LabHost } from "./lab-host.ts";

export const journalOnHost = "/var/lib/homelab-deploy-host/journal";

/** @throws while the host is off */
export const journalOf = async (host: LabHost): Promise<JournalContent> =>
  parseJournal(await host.readFile(journalOnHost), journalOnHost);

export const eventsOf = async (host: LabHost, order: OrderId): Promise<readonly DeployEvent[]> =>
  (await journalOf(host)).lines.map(({ event }) => event).filter((event) => event.order === order);

/** Where the next line of a journal begins, in bytes. */
export const journalEnd = async (host: LabHost): Promise<number> =>
  Buffer.byteLength(await host.readFile(journalOnHost));

/**
 * Resolves within a few milliseconds of a line with this event, wherever behind `from` it is written.
 *
 * @param from as `journalEnd` gives it: the file must not be begun again in between
 */
export async function lineBehind(
  host: LabHost,
  from: number,
  type: DeployEventType,
  signal: AbortSignal,
): Promise<void> {
  const wanted = `"type":"${type}"`;
  let [text, at] = ["", from];
  for (;;) {
    const more = await readBehind(host, at).catch(() => "");
    at += Buffer.byteLength(more);
    text = `${text}${more}`;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    if (lines.some((line) => line.includes(wanted))) return;
    await sleep(2, undefined, { signal });
  }
}

async function readBehind(host: LabHost, at: number): Promise<string> {
  await using file = await open(host.pathOf(journalOnHost));
  const buffer = Buffer.alloc(64 * 1024);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
  // Whole lines: a character is never cut.
  const end = buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1;
  return buffer.toString("utf8", 0, end);
}
