// Signatures of orders, statements and events of rollouts: Ed25519 over the bytes themselves, with a line before them that says what they are,
// so that a signature of one kind is not valid for another.
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import type { SigningKey } from "../protocol/deploy/order.ts";
import { rawPublicKey } from "./raw-key.ts";

export type SignedKind = "order" | "statement" | "rollout-event";

/** What is signed: this line, and the bytes as they are sent. */
export const signedBytes = (kind: SignedKind, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`homelab-deploy/${kind}/v1\n`), bytes]);

/** @param key as its schema accepts it; a key with a wrong checksum signed nothing */
export function isSignedBy(
  kind: SignedKind,
  bytes: Uint8Array,
  key: SigningKey,
  signature: Uint8Array,
): boolean {
  const publicKey = publicKeyObject(key);
  return publicKey !== undefined && verify(null, signedBytes(kind, bytes), publicKey, signature);
}

/** RFC 8410: what stands before the 32 bytes of a public key. */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** A fleet of a thousand hosts has a thousand statements by one key, and making it costs half of what verifying does. */
const made = new Map<SigningKey, KeyObject>();
const mostMade = 100;

function publicKeyObject(key: SigningKey): KeyObject | undefined {
  const known = made.get(key);
  if (known !== undefined) return known;
  let raw: Uint8Array;
  try {
    raw = rawPublicKey(key);
  } catch {
    return undefined;
  }
  const object = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
  if (made.size >= mostMade) made.clear();
  made.set(key, object);
  return object;
}
