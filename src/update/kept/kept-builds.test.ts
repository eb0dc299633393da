import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createScratch } from "../../../test/support/scratch.ts";
import { silentLog } from "../../base/log.ts";
import { createKeptBuilds } from "./kept-builds.ts";

const signal = AbortSignal.timeout(60_000);
const about = "a".repeat(64);
const test = base.extend("directory", async ({}, { onCleanup }) => {
  const scratch = await createScratch("homelab-kept-");
  onCleanup(() => scratch[Symbol.asyncDispose]());
  return scratch.directory;
});
const clock = createFakeClock(new Date().toISOString());
const keepIn = (directory: string) =>
  createKeptBuilds({ directory, clean: (text) => text.replaceAll("hunter2", "***"), clock, log: silentLog });

test("what was decided about every host is found again, without secrets", async ({ directory }) => {
  const { state, events } = scriptBuild()
    .accepted(["web", "db"])
    .hostsFinished("build-failed", ["web"], { reason: "the password is hunter2" })
    .hostsFinished("built", ["db"])
    .finished("failed");
  const kept = keepIn(directory);
  expect(await kept.find(about, signal)).toBeUndefined();
  await kept.keep(about, state.id, events);
  const found = await kept.find(about, signal);
  expect(found).toMatchObject({ id: state.id, status: "failed" });
  expect([...(found?.hosts.values() ?? [])].map(({ finished }) => finished?.verdict)).toEqual([
    "build-failed",
    "built",
  ]);
  expect(await kept.find("b".repeat(64), signal)).toBeUndefined();
  const [name = ""] = await readdir(directory);
  expect(await readFile(join(directory, name), "utf8")).not.toContain("hunter2");
});

test("without a verdict on a host nothing is kept", async ({ directory }) => {
  const build = scriptBuild().accepted(["web", "db"]).hostsFinished("built", ["web"]);
  build.hostsFinished("infra-failed", ["db"], { reason: "no disk" }).finished("infra-failed");
  const kept = keepIn(directory);
  await kept.keep(about, build.state.id, build.events);
  expect(await kept.find(about, signal)).toBeUndefined();
});

test("what is old, or damaged, is built again", async ({ directory }) => {
  const { state, events } = scriptBuild()
    .accepted(["web"])
    .hostsFinished("built", ["web"])
    .finished("succeeded");
  const kept = keepIn(directory);
  await kept.keep(about, state.id, events);
  const [name = ""] = await readdir(directory);
  const file = join(directory, name);
  const longAgo = new Date(clock.now().getTime() - 15 * 24 * 3_600_000);
  await utimes(file, longAgo, longAgo);
  expect(await kept.find(about, signal)).toBeUndefined();
  await kept.keep(about, state.id, events);
  expect(await kept.find(about, signal)).toBeDefined();
  await writeFile(file, "{");
  expect(await kept.find(about, signal)).toBeUndefined();
});
