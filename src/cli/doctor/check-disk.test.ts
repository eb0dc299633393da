import { expect, test } from "vitest";
import { checkDisk, checkStateDirectory, judgeDisk } from "./check-disk.ts";

test.each([
  ["half of it is free", { availableBytes: 50 }, "ok"],
  ["a tenth is free", { availableBytes: 10 }, "warning"],
  ["almost nothing is free", { availableBytes: 2 }, "wrong"],
  ["there are no inodes", { availableBytes: 50, availableFiles: 1, totalFiles: 100 }, "wrong"],
  ["inodes are made as needed", { availableBytes: 50, availableFiles: 0, totalFiles: 0 }, "ok"],
])("%s", (_, facts, state) => {
  const disk = { totalBytes: 100, availableFiles: 90, totalFiles: 100, ...facts };
  expect(judgeDisk("disk", "/nix", disk).state).toBe(state);
});

test("a directory that is not there is not known to have room", async () => {
  expect((await checkDisk("disk", "/nonexistent/a")).state).toBe("unknown");
});

test("a state directory that cannot be made is wrong, and one that can be is not", async () => {
  expect((await checkStateDirectory("/proc/1/homelab-deploy")).state).toBe("wrong");
  expect((await checkStateDirectory("/tmp/homelab-deploy/not/yet/there")).state).toBe("ok");
});
