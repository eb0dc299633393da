import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { expect, test as base } from "vitest";
import { createJsonFile } from "./json-file.ts";

const Numbers = v.array(v.number());

const test = base.extend("path", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "json-file-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "state/numbers.json");
});

test("what was written last is read, in whatever time each write took", async ({ path }) => {
  const file = createJsonFile(path, Numbers);
  expect(await file.read()).toBeUndefined();
  await Promise.all([file.write(Array.from({ length: 100_000 }, () => 1)), file.write([2])]);
  expect(await file.read()).toEqual([2]);
  expect(await createJsonFile(path, Numbers).read()).toEqual([2]);
});

test("what is written is what the value was then", async ({ path }) => {
  const file = createJsonFile(path, Numbers);
  const numbers = [1];
  const writing = file.write(numbers);
  numbers.push(2);
  await writing;
  expect(await readFile(path, "utf8")).toBe("[1]");
});

test.for(["", "[", '["1"]', "[".repeat(1000)])(
  "a damaged file (%j) is as good as none",
  async (text, { path }) => {
    const file = createJsonFile(path, Numbers);
    await file.write([1]);
    await writeFile(path, text);
    expect(await file.read()).toBeUndefined();
  },
);

test("a file that has grown out of all proportion is not read", async ({ path }) => {
  const file = createJsonFile(path, Numbers);
  await file.write([1]);
  await truncate(path, 2 ** 32);
  expect(await file.read()).toBeUndefined();
});

test("a write that failed is told, and the next one is done", async ({ path }) => {
  const file = createJsonFile(join(path, "numbers.json"), Numbers);
  const blocking = createJsonFile(path, Numbers);
  await blocking.write([1]);
  await expect(file.write([1])).rejects.toThrow("EEXIST");
  await rm(path);
  await file.write([2]);
  expect(await file.read()).toEqual([2]);
});
