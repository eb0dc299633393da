import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { systemClock } from "../base/clock.ts";
import { parseHostName, parseRepoName } from "../protocol/names.ts";
import { signedOrder } from "../../test/support/deploy-orders.ts";
import { base64Of } from "../protocol/deploy/order.ts";
import { memoryOf } from "./host-memory.ts";
import { openJournal, readJournal } from "./journal-file.ts";

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

test.each([1, 2, 20])("a last line that lacks %i bytes was never written", async (missing) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-journal-"));
  const file = join(directory, "journal");
  {
    await using journal = await open(directory);
    await journal.append({ event: { type: "warning", text: "one" } });
    await journal.append({ event: { type: "warning", text: "two" } });
  }
  await writeFile(file, (await readFile(file, "utf8")).slice(0, -missing));
  {
    await using journal = await open(directory);
    expect(journal.lines).toHaveLength(1);
    await journal.append({ event: { type: "warning", text: "three" } });
  }
  expect((await readJournal(directory))?.lines.map(({ event }) => event)).toMatchObject([
    { index: 0, text: "one" },
    { index: 1, text: "three" },
  ]);
  await rm(directory, { recursive: true });
});

test("a line that did not fit leaves nothing behind for the next one", async ({ directory }) => {
  const script = `
    const { openJournal } = await import(${JSON.stringify(join(import.meta.dirname, "journal-file.ts"))});
    const clock = { now: () => new Date() };
    const journal = await openJournal({ directory: ${JSON.stringify(directory)}, repo: "r", host: "h", bootId: "b", clock });
    const say = (envelope) => journal.append({ event: { type: "warning", text: "x" }, envelope });
    await say("one");
    await say("x".repeat(50_000)).catch(({ code }) => console.log(code));
    await say("three");`;
  // A file may have eight blocks: what is above is written in part, as on a full disk.
  const command = 'ulimit -f 8; exec "$0" --input-type=module -e "$1"';
  const ended = spawnSync("sh", ["-c", command, process.execPath, script], { encoding: "utf8" });
  expect(ended.stdout, ended.stderr).toBe("EFBIG\n");
  expect((await readJournal(directory))?.lines).toMatchObject([
    { event: { index: 0 }, envelope: "one" },
    { event: { index: 1 }, envelope: "three" },
  ]);
});

test("a full disk has room for the lines with which a host goes back", async ({ directory }) => {
  const script = `
    const { writeFile } = await import("node:fs/promises");
    const { openJournal } = await import(${JSON.stringify(join(import.meta.dirname, "journal-file.ts"))});
    const clock = { now: () => new Date() };
    const directory = ${JSON.stringify(directory)};
    const journal = await openJournal({ directory, repo: "r", host: "h", bootId: "b", clock });
    const fill = () => writeFile(directory + "/junk", Buffer.alloc(2 ** 21)).catch(({ code }) => console.log(code));
    await fill();
    for (let count = 0; count < 100; count++) {
      await journal.append({ event: { type: "warning", text: "x".repeat(500) } });
    }
    console.log(journal.lines.length);`;
  const command = 'mount -t tmpfs -o size=1m tmpfs "$2" && exec "$0" --input-type=module -e "$1"';
  const args = ["--mount", "--map-root-user", "sh", "-c", command, process.execPath, script, directory];
  const ended = spawnSync("unshare", args, { encoding: "utf8" });
  if (/unshare failed|permission denied|not permitted/i.test(ended.stderr)) {
    console.log(`A full disk is not tested: ${ended.stderr}`);
    return;
  }
  expect(ended.stdout, ended.stderr).toBe("ENOSPC\n100\n");
});

test("a release that knows nothing of fetching for later can read the journal", async ({ directory }) => {
  const { order, envelope } = signedOrder({ order: { kind: "fetch" } });
  const { id, path, serial, by, action } = order;
  const fetched = { type: "finished", order: id, outcome: "fetched", ms: 1 } as const;
  {
    await using journal = await open(directory);
    const event = { type: "received", order: id, kind: "fetch", action, path, serial, by } as const;
    await journal.append({ event, envelope: base64Of(envelope) });
    await journal.append({ event: { type: "fetching", order: id, bytes: 1, paths: 1 } });
    await journal.append({ event: fetched });
  }
  const stored = (await readFile(join(directory, "journal"), "utf8")).trim().split("\n").slice(1);
  // What the release before this one takes an event for.
  const before = stored.map((line) => (JSON.parse(line) as { readonly event: object }).event);
  expect(before).toMatchObject([
    { type: "warning", index: 0, order: id },
    { type: "fetching", index: 1 },
    { type: "warning", index: 2, order: id },
  ]);
  for (const event of before) expect(event).not.toHaveProperty("kind");
  const content = await readJournal(directory);
  expect(content?.lines.map(({ event }) => event)).toMatchObject([
    { type: "received", index: 0, kind: "fetch" },
    { type: "fetching", index: 1 },
    { ...fetched, index: 2 },
  ]);
  expect(content && memoryOf(content.head, content.lines)).toMatchObject({ serial, forLater: id });
});
