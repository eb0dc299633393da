import { nix32 } from "./nix32.ts";

/** A SHA-256 in the one form in which hashes are compared and signed: `sha256:` and 52 digits of Nix's base 32. */
export type Sha256 = `sha256:${string}`;

/** From the digest itself, 32 bytes. */
export const sha256Of = (digest: Uint8Array): Sha256 => `sha256:${nix32(digest)}`;

/** 256 bits are 51 digits of 5 and one of 1; the digits leave out e, o, t and u. */
const base32 = /^sha256:[01][0-9a-df-np-sv-z]{51}$/;
const isBase32 = (text: string): text is Sha256 => base32.test(text);

/** From any form that Nix writes: base 32, base 16, or SRI (`sha256-…=`); undefined for anything else. */
export function parseSha256(text: string): Sha256 | undefined {
  if (isBase32(text)) return text;
  const { hex, sri } =
    /^(?:sha256:(?<hex>[0-9a-f]{64})|sha256-(?<sri>[A-Za-z0-9+/]{43}=))$/.exec(text)?.groups ?? {};
  if (hex !== undefined) return sha256Of(Buffer.from(hex, "hex"));
  return sri === undefined ? undefined : sha256Of(Buffer.from(sri, "base64"));
}
