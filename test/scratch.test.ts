import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createScratch } from "./support/scratch.ts";

/** A program that would outlive us, and whose end we can wait for. */
function startDetached(options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }) {
  const child = spawn("sleep", ["300"], { detached: true, stdio: "ignore", ...options });
  return { pid: child.pid, ended: new Promise<unknown>((resolve) => child.once("exit", resolve)) };
}

test("finds what lives in the directory, by working directory and by environment, and nothing else", async ({
  skip,
}) => {
  skip(process.platform !== "linux", "only Linux says in /proc where processes live");
  await using scratch = await createScratch("scratch-test-");
  await using other = await createScratch("scratch-test-");
  const inside = startDetached({ cwd: scratch.directory });
  const pointing = startDetached({ env: { PATH: process.env["PATH"], TMPDIR: scratch.directory } });
  startDetached({ cwd: other.directory });

  await expect
    .poll(async () => new Set((await scratch.processes()).map(({ pid }) => pid)))
    .toEqual(new Set([inside.pid, pointing.pid]));
  expect((await scratch.processes()).map(({ command }) => command)).toEqual(["sleep 300", "sleep 300"]);
});

test("disposing ends what lives in it, and removes what is read-only", async ({ skip }) => {
  skip(process.platform !== "linux", "only Linux says in /proc where processes live");
  const scratch = await createScratch("scratch-test-");
  const store = join(scratch.directory, "store");
  await mkdir(store);
  await writeFile(join(store, "file"), "", { mode: 0o444 });
  await mkdir(join(store, "locked"), { mode: 0o555 });
  const { ended } = startDetached({ cwd: scratch.directory });

  await scratch[Symbol.asyncDispose]();

  await ended;
  expect(existsSync(scratch.directory)).toBe(false);
});
