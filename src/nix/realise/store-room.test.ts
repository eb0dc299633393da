import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { isFull } from "./store-room.ts";

test("a file system without any room is full, an ordinary one is not", async () => {
  expect(await isFull("/proc")).toBe(true);
  expect(await isFull(tmpdir())).toBe(false);
});

test("a directory that is not there has no answer", async () => {
  await expect(isFull("/does/not/exist")).rejects.toThrow("ENOENT");
});
