import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { replaceFile } from "./replace-file.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "replace-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return directory;
});

test("a missing directory is made, and both are for our user only", async ({ directory }) => {
  const file = join(directory, "state/deep/a");
  await replaceFile(file, "one");
  expect((await stat(join(directory, "state/deep"))).mode & 0o777).toBe(0o700);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("the mode can be another, and a flushed file is the same file", async ({ directory }) => {
  const file = join(directory, "program");
  await replaceFile(file, "#!/bin/sh\n", { mode: 0o700, flush: true });
  await replaceFile(file, new TextEncoder().encode("#!/bin/dash\n"), { mode: 0o700, flush: true });
  expect((await stat(file)).mode & 0o777).toBe(0o700);
  expect(await readFile(file, "utf8")).toBe("#!/bin/dash\n");
});

test("those who write at the same time never mix, and leave nothing beside it", async ({ directory }) => {
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000));
  await Promise.all(texts.map((text) => replaceFile(join(directory, "a"), text)));
  expect(texts).toContain(await readFile(join(directory, "a"), "utf8"));
  expect(await readdir(directory)).toEqual(["a"]);
});

test("what cannot be replaced is left as it is, and nothing stays beside it", async ({ directory }) => {
  await mkdir(join(directory, "a/b"), { recursive: true });
  await expect(replaceFile(join(directory, "a"), "text")).rejects.toThrow("EISDIR");
  expect(await readdir(directory)).toEqual(["a"]);
});
