import { nix32, parseNix32 } from "./nix32.ts";

/** A SHA-256 in the one form in which hashes are compared and signed: `sha256:` and 52 digits of Nix's base 32. */
export type Sha256 = `sha256:${string}`;

/** From the digest itself, 32 bytes. */
export const sha256Of = (digest: Uint8Array): Sha256 => `sha256:${nix32(digest)}`;

/** From any form that Nix writes: base 32, base 16, or SRI (`sha256-…=`); undefined for anything else. */
export function parseSha256(text: string): Sha256 | undefined {
  const { digits, sri } =
    /^(?:sha256:(?<digits>[0-9a-z]{52}|[0-9a-f]{64})|sha256-(?<sri>[A-Za-z0-9+/]{43}=))$/.exec(text)
      ?.groups ?? {};
  if (sri !== undefined) return sha256Of(Buffer.from(sri, "base64"));
  if (digits === undefined) return undefined;
  if (digits.length === 64) return sha256Of(Buffer.from(digits, "hex"));
  return parseNix32(digits, 32) === undefined ? undefined : `sha256:${digits}`;
}
