import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createScratch } from "../../../test/support/scratch.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { createKeptFindings } from "./kept-findings.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const scratch = await createScratch("homelab-findings-");
  onCleanup(() => scratch[Symbol.asyncDispose]());
  return scratch.directory;
});

const [web, db] = [parseHostName("web"), parseHostName("db")];
const subject = { candidate: parseCommit("a".repeat(40)), repo: parseRepoName("fleet"), hosts: [web, db] };
const firstBad = {
  rev: parseCommit("b".repeat(40)),
  committedAt: new Date("2026-11-23T14:08:58.000Z"),
  subject: "Break it",
};
const findings = {
  guilty: [["nixpkgs"], ["alpha", "beta"]],
  bisected: [{ input: "nixpkgs", firstBad, probes: 3, skipped: 0 }],
};

test("what was found out is found again, for the same hosts in whatever order", async ({ directory }) => {
  const kept = createKeptFindings(directory, silentLog);
  expect(await kept.find(subject)).toBeUndefined();
  await kept.keep(subject, findings);
  expect(await kept.find({ ...subject, hosts: [db, web] })).toMatchObject(findings);
  expect(await kept.find({ ...subject, hosts: [web] })).toBeUndefined();
  expect(await kept.find({ ...subject, candidate: parseCommit("c".repeat(40)) })).toBeUndefined();
});

test("what is damaged is looked for again", async ({ directory }) => {
  const kept = createKeptFindings(directory, silentLog);
  await kept.keep(subject, findings);
  const [name = ""] = await readdir(directory);
  await writeFile(join(directory, name), '{"v":1,"guilty":"nixpkgs"}');
  expect(await kept.find(subject)).toBeUndefined();
});
