import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { refreshNames } from "./refresh-names.ts";

test("names are read again once a minute at most, also while nobody answers", async ({ onTestFinished }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-names-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const clock = createFakeClock();
  const launched: string[] = [];
  const complete = async (XDG_CACHE_HOME = directory): Promise<void> =>
    refreshNames({ environment: { XDG_CACHE_HOME }, clock }, (args) => launched.push(args.join(" ")));
  await complete();
  await complete();
  expect(launched).toEqual(["hosts list --json"]);
  await clock.advance(61_000);
  await complete();
  await complete();
  expect(launched).toHaveLength(2);
  await complete("/proc/nowhere");
  expect(launched).toHaveLength(2);
});
