import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeNewKey } from "../../../bus/server/keys.ts";
import { createSigningKey } from "../../../signing/signing-key-file.ts";
import { checkKeyUses, type KeyUse } from "./check-key-uses.ts";

// The same 32 bytes, as a key of each type.
const userSeed = "SUAAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBZ5FE";
const signingSeed = "SAAAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOB6O4U";

let directory: string;
let uses: Record<"user" | "signing" | "sameUser" | "sameSigning" | "noKey" | "missing", string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "key-uses-"));
  const file = (name: string): string => join(directory, name);
  await writeNewKey(file("user.nk"));
  await createSigningKey(file("signing.key"));
  await writeFile(file("same.nk"), `${userSeed}\n`);
  await writeFile(file("same.key"), `${signingSeed}\n`);
  await writeFile(file("text"), "hunter2");
  uses = {
    user: file("user.nk"),
    signing: file("signing.key"),
    sameUser: file("same.nk"),
    sameSigning: file("same.key"),
    noKey: file("text"),
    missing: file("nothing"),
  };
});
afterAll(async () => rm(directory, { recursive: true }));

const signIn = (path: string): KeyUse => ({
  setting: "nats.nkeyFile",
  path,
  use: "signs in",
  check: "NATS server",
});
const sign = (path: string): KeyUse => ({
  setting: "builder.statementKeyFile",
  path,
  use: "signs",
  check: "statement key",
});

test("keys of their own types are fine, and so is what others tell of", async () => {
  expect(await checkKeyUses([signIn(uses.user), sign(uses.signing)])).toEqual([]);
  expect(await checkKeyUses([signIn(uses.noKey), sign(uses.missing)])).toEqual([]);
});

test("a signing key must not sign in, and NATS is not looked at with it", async () => {
  expect(await checkKeyUses([signIn(uses.signing)])).toMatchObject([
    { check: "key nats.nkeyFile", state: "wrong", concerns: ["NATS server"] },
  ]);
});

test("a key for NATS must not sign", async () => {
  expect(await checkKeyUses([sign(uses.user)])).toMatchObject([
    { check: "key builder.statementKeyFile", state: "wrong" },
  ]);
});

test("one secret as two types of key is found, and never printed", async () => {
  const findings = await checkKeyUses([signIn(uses.sameUser), sign(uses.sameSigning)]);
  expect(findings).toMatchObject([{ check: "key builder.statementKeyFile", state: "wrong" }]);
  expect(findings[0]?.message).toContain("hold the same secret");
  expect(JSON.stringify(findings)).not.toMatch(/S[UA]AAO/);
});
