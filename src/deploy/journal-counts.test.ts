import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { parseHostName, parseRepoName } from "../protocol/names.ts";
import { memoryOf } from "./host-memory.ts";
import { openJournal, readJournal } from "./journal-file.ts";
import { journalFile, journalVersion } from "./journal.ts";

test("a journal that is begun again, because it has grown too long, has counted what it drops", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-journal-"));
  await using _removed = { [Symbol.asyncDispose]: async () => rm(directory, { recursive: true }) };
  const address = { repo: parseRepoName("servers"), host: parseHostName("web1") };
  const head = { nextIndex: 0, serial: 0, firstStart: "2026-11-01T00:00:00.000Z", completed: [] };
  const refused = { type: "rejected", code: "BAD_SIGNATURE", detail: "x".repeat(2000), ...address };
  const events = Array.from({ length: 2500 }, (_, index) => ({ ...refused, index, at: head.firstStart }));
  const lines = events.map((event) => ({ v: journalVersion, event, bootId: "b" }));
  const path = join(directory, journalFile);
  const text = [{ v: journalVersion, head }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
  await writeFile(path, text);

  const journal = await openJournal({ directory, ...address, bootId: "b", clock: systemClock });
  await journal[Symbol.asyncDispose]();
  expect((await stat(path)).size).toBeLessThan(text.length / 2);
  const content = await readJournal(directory);
  expect(content && memoryOf(content.head, content.lines).counts.rejected).toEqual([
    { code: "BAD_SIGNATURE", count: 2500 },
  ]);
});
