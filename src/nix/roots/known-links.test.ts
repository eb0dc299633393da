import { mkdir, mkdtemp, rm, symlink, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import * as v from "valibot";
import { StorePath } from "../../protocol/names.ts";
import { createKnownLinks } from "./known-links.ts";

const target = v.parse(StorePath, `/nix/store/${"0".repeat(32)}-web`);
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "known-links-"));
  await mkdir(join(directory, "out"));
  return async () => rm(directory, { recursive: true });
});
const out = (): string => join(directory, "out");
const link = () => ({ path: join(out(), "web"), target });
const makeOld = async (): Promise<void> => utimes(out(), 1, 1);

test("what was found is known until an entry of its directory changes", async () => {
  const look = createKnownLinks(systemClock);
  await makeOld();
  const first = await look([out()]);
  expect(first.isKnown(link())).toBe(false);
  first.add(link());
  expect((await look([out()])).isKnown(link())).toBe(true);
  expect((await look([out()])).isKnown({ ...link(), target: v.parse(StorePath, `${target}-2`) })).toBe(false);

  await symlink(target, join(out(), "other"));
  await utimes(out(), 2, 2);
  expect((await look([out()])).isKnown(link())).toBe(false);
});

test("a directory that has just changed, or is not there, is asked each time", async () => {
  const look = createKnownLinks(systemClock);
  for (const directories of [[out()], [join(directory, "gone")]]) {
    (await look(directories)).add(link());
    expect((await look(directories)).isKnown(link())).toBe(false);
  }
});

test("only some directories are remembered", async () => {
  const look = createKnownLinks(systemClock);
  await makeOld();
  (await look([out()])).add(link());
  for (let number = 0; number < 8; number++) {
    await mkdir(join(directory, `${number}`));
    await utimes(join(directory, `${number}`), 1, 1);
    await look([join(directory, `${number}`)]);
  }
  expect((await look([out()])).isKnown(link())).toBe(false);
});
