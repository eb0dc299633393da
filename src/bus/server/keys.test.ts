import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { publicKeyOf, writeNewKey } from "./keys.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-keys-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return directory;
});

test("writes a seed that only we can read, and tells its public key", async ({ directory }) => {
  const file = join(directory, "operator.nk");
  const publicKey = await writeNewKey(file);
  expect(publicKey).toMatch(/^U[A-Z2-7]{55}$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const seed = await readFile(file, "utf8");
  expect(seed).toMatch(/^SU[A-Z2-7]{56}\n$/);
  expect(publicKeyOf(seed, file)).toBe(publicKey);
});

test("never touches a file that is there", async ({ directory }) => {
  const file = join(directory, "key");
  await writeFile(file, "precious");
  await expect(writeNewKey(file)).rejects.toMatchObject({ kind: "usage", code: "FILE_EXISTS" });
  expect(await readFile(file, "utf8")).toBe("precious");
});

test("a file that holds something else is refused without quoting it", () => {
  for (const content of ["", "geheim", "SUGEHEIM", "SAAGEHEIM"]) {
    expect(() => publicKeyOf(content, "/keys/x.nk")).toThrow(
      expect.objectContaining({
        kind: "config",
        message: "/keys/x.nk does not hold the seed of a NATS user",
      }),
    );
  }
});
