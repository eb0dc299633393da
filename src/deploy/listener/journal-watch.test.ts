import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { openJournal } from "../journal-file.ts";
import { watchJournal } from "./journal-watch.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-journal-"));
  onCleanup(async () => rm(directory, { recursive: true, force: true }));
  return directory;
});
const open = async (directory: string) =>
  openJournal({
    directory,
    repo: parseRepoName("servers"),
    host: parseHostName("web1"),
    bootId: "b",
    clock: systemClock,
  });

test("sees the journal come, grow, tear and be replaced by one of a newer release", async ({ directory }) => {
  const errors: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => void errors.push(message) };
  const watch = watchJournal(directory, systemClock, log);
  const over = new AbortController();
  const running = watch.run(over.signal);
  const notifier = watch.notifier();
  await notifier.wait(over.signal);
  expect(watch.view()).toBeUndefined();
  {
    await using journal = await open(directory);
    await expect.poll(() => watch.view()?.lines.length).toBe(0);
    await journal.append({ event: { type: "warning", text: "one" } });
    await expect.poll(() => watch.view()?.lines.length).toBe(1);
  }
  const file = join(directory, "journal");
  await appendFile(file, '{"v":1,"event":{"ty');
  await watch.refresh();
  expect(watch.view()?.lines).toHaveLength(1);
  await appendFile(file, '\n{"v":2,"event":{}}\n');
  await expect.poll(() => errors).toEqual(["the journal of deployments cannot be read"]);
  expect(watch.view()).toBeUndefined();
  over.abort(new Error("enough"));
  await running;
});
