// A client signs whatever challenge a server sends when it signs in. A server that sends the bytes of an order must gain nothing
// by that: keys for NATS are of another type than keys that sign orders, and each loader refuses the other.
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectNats } from "../../src/bus/connect/connection.ts";
import { publicKeyOf, writeNewKey } from "../../src/bus/server/keys.ts";
import { silentLog } from "../../src/base/log.ts";
import { decideOrder } from "../../src/deploy/decide-order.ts";
import { base64Of, bytesOf, decodeEnvelope } from "../../src/protocol/deploy/order.ts";
import { signedBytes } from "../../src/signing/signatures.ts";
import { createSigningKey, loadSigner } from "../../src/signing/signing-key-file.ts";
import { signedOrder, somePolicy, somePath } from "../support/deploy-orders.ts";

const now = new Date("2026-11-23T14:00:00.000Z");

/** Sends this as its challenge, and gives the signature that the client sends back. */
async function signatureOver(challenge: Uint8Array, nkeyFile: string): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer((socket) => {
    const nonce = Buffer.from(challenge).toString("latin1");
    const info = {
      server_id: "x",
      version: "2.9.0",
      headers: true,
      max_payload: 1e6,
      auth_required: true,
      nonce,
    };
    socket.on("error", () => undefined);
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    let text = "";
    socket.on("data", (data) => {
      text += String(data);
      const sig = /"sig":"(?<sig>[^"]+)"/.exec(text)?.groups?.["sig"];
      if (sig === undefined) return;
      resolve(sig);
      socket.end("-ERR 'Authorization Violation'\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connecting = connectNats(
    { servers: [`nats://127.0.0.1:${port}`], nkeyFile, name: "test", role: "command" },
    silentLog,
    AbortSignal.timeout(60_000),
  );
  await expect(connecting).rejects.toMatchObject({ code: "NATS_AUTH" });
  server.close();
  return new Uint8Array(Buffer.from(await promise, "base64url"));
}

test("what a server has a client sign as its challenge is an order for no host", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-sign-in-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => rm(directory, { recursive: true, force: true }));
  const natsKey = join(directory, "nats.nk");
  const publicKey = await writeNewKey(natsKey);
  const { envelope } = signedOrder({ now });
  const { order, ...rest } = decodeEnvelope(envelope);
  const signature = await signatureOver(signedBytes("order", bytesOf(order)), natsKey);
  expect(signature).toHaveLength(64);
  // As the attacker would send it: the client's key as it is, and with the letter of keys that sign orders.
  for (const key of [publicKey, `A${publicKey.slice(1)}`]) {
    const forged = new TextEncoder().encode(
      JSON.stringify({ ...rest, v: 1, order, sig: { key, sig: base64Of(signature) } }),
    );
    const decision = decideOrder({
      envelope: forged,
      policy: somePolicy(),
      memory: { serial: 0, firstStart: "2026-11-01T00:00:00.000Z", isStuck: false },
      running: somePath("old"),
      isHandMade: false,
      now,
    });
    expect(decision.type).toBe("rejected");
  }
});

test("each loader refuses the keys of the other", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-sign-in-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => rm(directory, { recursive: true, force: true }));
  const [natsKey, signingKey] = [join(directory, "nats.nk"), join(directory, "order.nk")];
  await writeNewKey(natsKey);
  await createSigningKey(signingKey);
  const seed = await readFile(signingKey, "utf8");
  expect(() => publicKeyOf(seed, signingKey)).toThrow(expect.objectContaining({ code: "NATS_KEY_FILE" }));
  await expect(loadSigner(natsKey)).rejects.toMatchObject({ code: "SIGNING_KEY_FILE" });
  const wrong = connectNats(
    { servers: ["nats://127.0.0.1:1"], nkeyFile: signingKey, name: "test", role: "daemon" },
    silentLog,
    AbortSignal.timeout(60_000),
  );
  await expect(wrong).rejects.toMatchObject({ kind: "config", code: "NATS_KEY_FILE" });
  await writeFile(natsKey, "");
  expect(() => publicKeyOf("", natsKey)).toThrow(expect.objectContaining({ code: "NATS_KEY_FILE" }));
});
