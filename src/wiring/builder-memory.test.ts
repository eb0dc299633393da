import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createUsualDurations } from "./builder-memory.ts";

const test = base.extend("file", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "durations-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "state/durations.json");
});

test("what was learnt is known after a restart, and for other versions", async ({ file }) => {
  const durations = await createUsualDurations(file);
  await Promise.all([
    durations.learn(new Map([["linux-6.18.4", 420_000.4]])),
    durations.learn(new Map([["__proto__", 2000]])),
  ]);
  const again = await createUsualDurations(file);
  expect(again.of("linux-6.18.5")).toBe(420_000);
  expect(again.of("__proto__")).toBe(2000);
  expect(again.of("gitea-1.26.1")).toBeUndefined();
});

test.for(["", "{", "{}", '[["linux",[-1]]]', '[["linux","7"]]'])(
  "a damaged file (%j) is as good as none, and is replaced",
  async (text, { file }) => {
    const first = await createUsualDurations(file);
    await first.learn(new Map([["linux", 2000]]));
    await writeFile(file, text);
    const durations = await createUsualDurations(file);
    expect(durations.of("linux")).toBeUndefined();
    await durations.learn(new Map([["linux", 3000]]));
    expect((await createUsualDurations(file)).of("linux")).toBe(3000);
  },
);
