import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeDirectory, probeDirectory } from "./make-directory.ts";

const base = mkdtempSync(join(tmpdir(), "make-directory-"));
afterAll(() => rmSync(base, { recursive: true }));

test("what is missing above is made, with its mode, also by many at a time", async () => {
  const path = join(base, "a/b/c");
  await Promise.all(Array.from({ length: 8 }, async () => makeDirectory(path, { mode: 0o700 })));
  await makeDirectory(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(base, "a")).mode & 0o777).toBe(0o700);
});

test("a place that takes no directory is said, and not tried forever", async () => {
  await expect(makeDirectory("/proc/homelab-deploy/state")).rejects.toThrow("ENOENT");
  writeFileSync(join(base, "file"), "");
  await expect(makeDirectory(join(base, "file"))).rejects.toThrow("EEXIST");
  await expect(makeDirectory(join(base, "file/below"))).rejects.toThrow("ENOTDIR");
});

test("whether one can be written or made is proven without leaving anything", async () => {
  expect(await probeDirectory(base)).toBe("there");
  expect(await probeDirectory(join(base, "x/y"))).toBe("missing");
  expect(readdirSync(base).filter((name) => name !== "a" && name !== "file")).toEqual([]);
  await expect(probeDirectory("/proc/homelab-deploy/state")).rejects.toThrow("ENOENT");
  writeFileSync(join(base, "file"), "");
  await expect(probeDirectory(join(base, "file/below"))).rejects.toThrow("ENOTDIR");
});
