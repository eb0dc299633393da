import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createScratch } from "../../../test/support/scratch.ts";
import { checkDisk, checkStateDirectory, judgeDisk } from "./check-disk.ts";

test.each([
  ["half of it is free", 50, { available: 90, total: 100 }, "ok"],
  ["a tenth is free", 10, { available: 90, total: 100 }, "warning"],
  ["almost nothing is free", 2, { available: 90, total: 100 }, "wrong"],
  ["there are no inodes", 50, { available: 1, total: 100 }, "wrong"],
  ["inodes are made as needed", 50, undefined, "ok"],
])("%s", (_, availableBytes, inodes, state) => {
  const disk = { availableBytes, totalBytes: 100 };
  expect(judgeDisk("disk", "/nix", { disk, inodes }).state).toBe(state);
});

test("a directory that is not there is not known to have room", async () => {
  expect((await checkDisk("disk", "/nonexistent/a")).state).toBe("unknown");
});

test("no build begins below the floor, which may be above the whole disk", () => {
  const half = { disk: { availableBytes: 50, totalBytes: 100 }, inodes: undefined };
  expect(judgeDisk("disk", "/nix", half, 60)).toMatchObject({
    state: "wrong",
    hint: expect.stringMatching(/^collect/),
  });
  expect(judgeDisk("disk", "/nix", half, 200)).toMatchObject({
    state: "wrong",
    hint: expect.stringMatching(/minFreeGiB/),
  });
});

const setting = "builder.stateDirectory";

test("a state directory that cannot be made is wrong, and one that can be is not", async () => {
  expect((await checkStateDirectory("/proc/x", setting)).state).toBe("wrong");
  expect((await checkStateDirectory("/tmp/homelab-deploy/not/yet/there", setting)).state).toBe("ok");
});

test("a state directory in which others may write is wrong", async () => {
  await using scratch = await createScratch("doctor-state-");
  const directory = join(scratch.directory, "state");
  await mkdir(directory, { mode: 0o700 });
  expect((await checkStateDirectory(directory, setting)).state).toBe("ok");
  await chmod(directory, 0o770);
  expect(await checkStateDirectory(directory, setting)).toMatchObject({
    state: "wrong",
    hint: `chmod 700 ${directory}`,
  });
});
