import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createScratch } from "../../../test/support/scratch.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { createKeptFindings } from "./kept-findings.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const scratch = await createScratch("homelab-findings-");
  onCleanup(() => scratch[Symbol.asyncDispose]());
  return scratch.directory;
});

const clock = createFakeClock(new Date().toISOString());
const keepIn = (directory: string) =>
  createKeptFindings({
    directory,
    clean: (text) => text.replaceAll("hunter2", "***"),
    clock,
    log: silentLog,
  });
const [web, db] = [parseHostName("web"), parseHostName("db")];
const subject = { candidate: parseCommit("a".repeat(40)), repo: parseRepoName("fleet"), hosts: [web, db] };
const firstBad = {
  rev: parseCommit("b".repeat(40)),
  committedAt: new Date("2026-11-23T14:08:58.000Z"),
  subject: "Break it",
};
const findings = {
  culprits: [["nixpkgs"], ["alpha", "beta"]],
  bisected: [{ input: "nixpkgs", firstBad, probes: 3, skipped: 0 }],
};

test("what was found out is found again, for the same hosts in whatever order", async ({ directory }) => {
  const kept = keepIn(directory);
  expect(await kept.find(subject)).toBeUndefined();
  await kept.keep(subject, findings);
  expect(await kept.find({ ...subject, hosts: [db, web] })).toMatchObject(findings);
  expect(await kept.find({ ...subject, hosts: [web] })).toBeUndefined();
  expect(await kept.find({ ...subject, candidate: parseCommit("c".repeat(40)) })).toBeUndefined();
});

test("what is old is looked for again, and no secret is kept", async ({ directory }) => {
  const kept = keepIn(directory);
  await kept.keep(subject, { ...findings, unproven: "the password is hunter2" });
  expect(await kept.find(subject)).toMatchObject({ unproven: "the password is ***" });
  const [name = ""] = await readdir(directory);
  const longAgo = new Date(clock.now().getTime() - 15 * 24 * 3_600_000);
  await utimes(join(directory, name), longAgo, longAgo);
  expect(await kept.find(subject)).toBeUndefined();
});

test("what is damaged is looked for again", async ({ directory }) => {
  const kept = keepIn(directory);
  await kept.keep(subject, findings);
  const [name = ""] = await readdir(directory);
  await writeFile(join(directory, name), '{"v":1,"culprits":"nixpkgs"}');
  expect(await kept.find(subject)).toBeUndefined();
});
