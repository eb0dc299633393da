// What a builder signed about one host at the tip of a configured branch: which closure is that host at that commit. Only
// what the cache was proven to serve is stated, and a host activates nothing that was not stated.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { BranchName, Commit, HostName, RepoName, StorePath } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { base64Of, SigningKey } from "./order.ts";
import { Sha256Text } from "./sha256-text.ts";

export const maxStatementBytes = 4 * 1024;

export const Statement = v.strictObject({
  v: v.literal(1),
  repo: RepoName,
  branch: BranchName,
  commit: Commit,
  host: HostName,
  /** Nix's name of the platform: `x86_64-linux`. */
  system: v.pipe(v.string(), v.regex(/^[a-z0-9_]+-[a-z0-9_]+$/), v.maxLength(64)),
  path: StorePath,
  /** The hash of `path` alone, as the builder's store has it. */
  narHash: Sha256Text,
  at: v.pipe(v.string(), v.maxLength(40), v.isoTimestamp()),
});
export type Statement = v.InferOutput<typeof Statement>;

/** A statement as it is kept and handed on: its bytes in base 64, and who signed them. */
export const SignedStatement = v.object({
  statement: v.pipe(v.string(), v.maxLength(maxStatementBytes * 2), v.regex(/^[A-Za-z0-9+/]*={0,2}$/)),
  sig: v.object({
    key: SigningKey,
    sig: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/)),
  }),
});
export type SignedStatement = v.InferOutput<typeof SignedStatement>;

export const encodeStatement = (statement: Statement): Uint8Array => encode(statement);

/** Decodes bytes whose signature was verified. @throws HomelabError `refused` `BAD_STATEMENT` */
export function decodeStatement(bytes: Uint8Array): Statement {
  try {
    return decode(Statement, bytes, { what: "statement", maxBytes: maxStatementBytes });
  } catch (error) {
    if (!(error instanceof HomelabError)) throw error;
    throw new HomelabError("refused", error.message, {
      code: "BAD_STATEMENT",
      hint: "build the host again, so that the builder signs a new statement",
      cause: error,
    });
  }
}

export const signedStatement = (
  bytes: Uint8Array,
  key: SigningKey,
  signature: Uint8Array,
): SignedStatement => ({ statement: base64Of(bytes), sig: { key, sig: base64Of(signature) } });
