// Nix's signing keys: Ed25519, written `name:base64`.
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { HomelabError } from "../base/errors.ts";

export interface TrustedKey {
  /** `cache.example.org-1` */
  readonly name: string;
  /** The key as it was given: `name:base64`. */
  readonly text: string;
  readonly key: KeyObject;
}

const keyBytes = 32;
const secretKeyBytes = 64;
const signatureBytes = 64;

/** @throws HomelabError `usage` with code `BAD_PUBLIC_KEY`; the text is not repeated, since it may be a secret one. */
export function parsePublicKey(text: string): TrustedKey {
  const { name, bytes } = parseNamed(text.trim()) ?? {};
  if (name === undefined || bytes?.byteLength !== keyBytes) {
    const isSecret = bytes?.byteLength === secretKeyBytes;
    throw new HomelabError(
      "usage",
      isSecret
        ? `the key ${name ?? ""} of the cache is a secret one`
        : "a public key of the cache is not NAME:BASE64",
      {
        code: "BAD_PUBLIC_KEY",
        hint: isSecret
          ? "give the public one: nix key convert-secret-to-public < FILE"
          : "it looks like cache.example.org-1:, with 44 characters behind the colon",
      },
    );
  }
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(bytes).toString("base64url") };
  return { name, text: text.trim(), key: createPublicKey({ key: jwk, format: "jwk" }) };
}

/** Two keys of one name can both be meant: one that is being replaced keeps its name now and then. */
export type TrustedKeys = readonly TrustedKey[];

export type SignatureJudgement =
  | { readonly type: "signed"; readonly by: TrustedKey }
  | { readonly type: "unsigned" }
  /** There are signatures, and none of them counts; why, in words for people. */
  | { readonly type: "wrong"; readonly reason: string };

/** Whether one of these signatures is valid for the fingerprint and made with a trusted key. */
export async function judgeSignatures(
  fingerprint: string,
  signatures: readonly string[],
  keys: TrustedKeys,
): Promise<SignatureJudgement> {
  if (signatures.length === 0) return { type: "unsigned" };
  const bytes = Buffer.from(fingerprint);
  const strangers: string[] = [];
  const broken: string[] = [];
  for (const signature of signatures) {
    const named = parseNamed(signature);
    const candidates = keys.filter(({ name }) => name === named?.name);
    if (named === undefined || named.bytes.byteLength !== signatureBytes)
      broken.push("one that is unreadable");
    else if (candidates.length === 0) strangers.push(named.name);
    for (const by of candidates) {
      if (named !== undefined && (await isValid(bytes, by.key, named.bytes))) return { type: "signed", by };
    }
    if (candidates.length > 0 && named?.bytes.byteLength === signatureBytes)
      broken.push(`that of ${named.name}`);
  }
  const reasons = [
    ...(broken.length === 0 ? [] : [`its signature is not valid: ${unique(broken)}`]),
    ...(strangers.length === 0 ? [] : [`it is signed by ${unique(strangers)}, which is not trusted`]),
  ];
  return { type: "wrong", reason: reasons.join("; ") };
}

const unique = (texts: readonly string[]): string => [...new Set(texts)].slice(0, 5).join(", ");

function parseNamed(text: string): { readonly name: string; readonly bytes: Uint8Array } | undefined {
  const { name, base64 } =
    /^(?<name>[^\s:]{1,255}):(?<base64>[A-Za-z0-9+/]{2,}={0,2})$/.exec(text)?.groups ?? {};
  if (name === undefined || base64 === undefined) return undefined;
  return { name, bytes: Buffer.from(base64, "base64") };
}

/** In a thread of libuv's pool, so that thousands of them use every core and do not keep answers waiting. */
async function isValid(data: Buffer, key: KeyObject, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, data, key, signature, (error, valid) => (error === null ? resolve(valid) : reject(error)));
  });
}
