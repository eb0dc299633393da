import { createHash, randomBytes } from "node:crypto";
import { parseBuildId, type BuildId } from "./names.ts";

// https://github.com/ulid/spec: 48 bits of milliseconds and 80 of randomness, in Crockford's base 32.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

function encode(milliseconds: number, randomness: Uint8Array): BuildId {
  let bits = BigInt(Math.max(0, Math.min(Math.floor(milliseconds), 2 ** 48 - 1)));
  for (const byte of randomness.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = alphabet.charAt(Number(bits & 31n)) + text;
    bits >>= 5n;
  }
  return parseBuildId(text);
}

export function newBuildId(now: Date): BuildId {
  return encode(now.getTime(), randomBytes(10));
}

/**
 * The id of a request that came without one. It depends only on where the request is stored, so every delivery
 * of the same message gets the same id.
 */
export function derivedBuildId(
  stream: { readonly created: string },
  sequence: number,
  storedAt: Date,
): BuildId {
  const digest = createHash("sha256").update(`${stream.created}\n${sequence}`).digest();
  return encode(storedAt.getTime(), digest);
}

/** When the id was made, as its first 48 bits say: a claim of whoever made it, not a fact. */
export function timeOf(id: string): Date {
  let milliseconds = 0;
  for (const character of id.slice(0, 10)) milliseconds = milliseconds * 32 + alphabet.indexOf(character);
  return new Date(milliseconds);
}
