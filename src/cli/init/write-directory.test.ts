import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { writeDirectory } from "./write-directory.ts";

const test = base.extend("scratch", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "write-directory-"));
  onCleanup(() => rm(directory, { recursive: true }));
  return directory;
});

const fill = async (directory: string): Promise<void> => writeFile(join(directory, "key"), "secret");

test("it is there whole, for its owner alone, also below directories that are missing", async ({
  scratch,
}) => {
  const place = join(scratch, "a/b");
  await writeDirectory(place, fill);
  expect(await readdir(place)).toEqual(["key"]);
  expect((await stat(place)).mode & 0o777).toBe(0o700);
  expect(await readdir(join(scratch, "a"))).toEqual(["b"]);
});

test("an empty directory is filled, and one with anything in it is left alone", async ({ scratch }) => {
  const place = join(scratch, "empty");
  await mkdir(place);
  await writeDirectory(place, fill);
  await expect(writeDirectory(place, fill)).rejects.toMatchObject({ code: "FILE_EXISTS" });
  expect(await readdir(scratch)).toEqual(["empty"]);
});

test("what fails half way leaves nothing", async ({ scratch }) => {
  const fails = writeDirectory(join(scratch, "half"), async (directory) => {
    await fill(directory);
    throw new Error("the disk is full");
  });
  await expect(fails).rejects.toThrow("the disk is full");
  expect(await readdir(scratch)).toEqual([]);
});

test("what somebody else puts there meanwhile is not replaced", async ({ scratch }) => {
  const place = join(scratch, "raced");
  const raced = writeDirectory(place, async (directory) => {
    await fill(directory);
    await mkdir(place);
    await writeFile(join(place, "theirs"), "");
  });
  await expect(raced).rejects.toMatchObject({ code: "FILE_EXISTS" });
  expect(await readdir(place)).toEqual(["theirs"]);
  expect(await readdir(scratch)).toEqual(["raced"]);
});
