import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect } from "vitest";
import { silentLog, type Log } from "../base/log.ts";
import { readSecret, resolveSecretPath } from "./secrets.ts";

const test = base.extend<{ directory: string }>({
  directory: async ({}, use) => {
    const directory = await mkdtemp(join(tmpdir(), "secrets-"));
    await use(directory);
    await rm(directory, { recursive: true });
  },
});

const quiet = { credentialsDirectory: undefined, log: silentLog };

test("reads a file without the space around it", async ({ directory }) => {
  const path = join(directory, "token");
  await writeFile(path, "  hunter2\n\n", { mode: 0o600 });
  expect(await readSecret(path, quiet)).toBe("hunter2");
  await writeFile(path, "replaced");
  expect(await readSecret(path, quiet)).toBe("replaced");
});

test("reads a systemd credential", async ({ directory }) => {
  await writeFile(join(directory, "token"), "hunter2", { mode: 0o400 });
  const source = { credentialsDirectory: directory, log: silentLog };
  expect(await readSecret("$CREDENTIALS_DIRECTORY/token", source)).toBe("hunter2");
});

test.each([undefined, ""])("a credential without its directory (%j) says so", (directory) => {
  expect(() => resolveSecretPath("$CREDENTIALS_DIRECTORY/token", directory)).toThrow(
    "$CREDENTIALS_DIRECTORY/token is set, but there is no $CREDENTIALS_DIRECTORY",
  );
});

test("says why a file cannot be used, and never what is in it", async ({ directory }) => {
  const path = join(directory, "token");
  await expect(readSecret(path, quiet)).rejects.toMatchObject({
    kind: "config",
    code: "BAD_SECRET",
    message: `cannot read the secret in ${path}: there is no such file`,
  });
  await writeFile(path, "hunter2".repeat(10_000));
  const tooLarge: unknown = await readSecret(path, quiet).catch((error: unknown) => error);
  expect(tooLarge).toMatchObject({ message: expect.stringContaining("more than 65536 bytes") });
  expect(JSON.stringify([String(tooLarge), tooLarge])).not.toContain("hunter2");
  await writeFile(path, " \n");
  await expect(readSecret(path, quiet)).rejects.toThrow(`the secret in ${path} is empty`);
  await mkdir(join(directory, "folder"));
  await expect(readSecret(join(directory, "folder"), quiet)).rejects.toThrow("it is a directory");
});

test("warns when everybody may read it", async ({ directory }) => {
  const path = join(directory, "token");
  const warnings: unknown[] = [];
  const log: Log = { ...silentLog, warn: (fields, message) => warnings.push([fields, message]) };
  await writeFile(path, "hunter2");
  await chmod(path, 0o640);
  await readSecret(path, { ...quiet, log });
  expect(warnings).toEqual([]);
  await chmod(path, 0o644);
  await readSecret(path, { ...quiet, log });
  expect(warnings).toEqual([[{ path, mode: "644" }, "everybody on this machine may read this secret"]]);
});
