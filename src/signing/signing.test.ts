import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createUser } from "@nats-io/nkeys";
import fc from "fast-check";
import { expect, test as base } from "vitest";
import { bytesOf, decodeEnvelope, encodeEnvelope } from "../protocol/deploy/order.ts";
import { someOrder, someSigner, someStatement } from "../../test/support/deploy-orders.ts";
import { hashOfStatement, openEnvelope, openStatement } from "./open-envelope.ts";
import { signOrder, signStatement } from "./sign-envelope.ts";
import { createSigningKey, loadSigner } from "./signing-key-file.ts";

const test = base.extend("directory", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "signing-"));
  onCleanup(() => rm(directory, { recursive: true }));
  return directory;
});

test("a new key is ours alone, is never overwritten, and signs what its public half verifies", async ({
  directory,
}) => {
  const file = join(directory, "order.seed");
  const key = await createSigningKey(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(createSigningKey(file)).rejects.toMatchObject({ code: "FILE_EXISTS" });
  const signer = await loadSigner(file);
  expect(signer.key).toBe(key);
  const stated = signStatement(someStatement(), signer);
  const opened = openEnvelope(signOrder(someOrder({ stated }), signer, stated));
  expect(opened).toMatchObject({ key, statement: { key, hash: hashOfStatement(bytesOf(stated.statement)) } });
});

test("a key for NATS, one that others may read, and nonsense are refused without being quoted", async ({
  directory,
}) => {
  const seed = new TextDecoder().decode(createUser().getSeed());
  const file = join(directory, "nats.seed");
  await writeFile(file, seed, { mode: 0o600 });
  const refusal = await loadSigner(file).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "SIGNING_KEY_FILE", message: expect.stringContaining("NATS") });
  expect(JSON.stringify(refusal)).not.toContain(seed.slice(4, 20));
  const open = join(directory, "open.seed");
  await createSigningKey(open);
  await writeFile(join(directory, "shared.seed"), await readFile(open), { mode: 0o644 });
  await expect(loadSigner(join(directory, "shared.seed"))).rejects.toMatchObject({
    code: "SIGNING_KEY_FILE",
  });
  await writeFile(join(directory, "bad.seed"), "SAhello", { mode: 0o600 });
  await expect(loadSigner(join(directory, "bad.seed"))).rejects.toMatchObject({ code: "SIGNING_KEY_FILE" });
});

test("no bit of an order or of a statement can be changed", () => {
  const signer = someSigner("signer");
  const stated = signStatement(someStatement(), signer);
  const envelope = decodeEnvelope(signOrder(someOrder({ stated }), signer, stated));
  fc.assert(
    fc.property(fc.constantFrom("order" as const, "statement" as const), fc.nat(), (field, bit) => {
      const bytes = Buffer.from(envelope[field] ?? "", "base64");
      const at = bit % (bytes.length * 8);
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
      const forged = encodeEnvelope({ ...envelope, [field]: bytes.toString("base64") });
      expect(() => openEnvelope(forged)).toThrow(/is not signed by the key it names/);
    }),
    { numRuns: 200 },
  );
});

test("a signature of one kind is not a signature of the other", () => {
  const signer = someSigner("signer");
  const stated = signStatement(someStatement(), signer);
  const envelope = decodeEnvelope(signOrder(someOrder({ stated }), signer, stated));
  const swapped = { ...envelope, order: stated.statement, sig: stated.sig };
  expect(() => openEnvelope(encodeEnvelope(swapped))).toThrow(/is not signed by/);
  expect(() => openStatement({ statement: envelope.order, sig: envelope.sig })).toThrow(/is not signed by/);
});
