// An envelope that is opened: both signatures verified over the bytes as they came, and only then parsed. Whether a host
// trusts who signed is another question.
import { createHash } from "node:crypto";
import { HomelabError } from "../base/errors.ts";
import {
  bytesOf,
  decodeEnvelope,
  decodeOrder,
  type Order,
  type SigningKey,
} from "../protocol/deploy/order.ts";
import { decodeStatement, type SignedStatement, type Statement } from "../protocol/deploy/statement.ts";
import { sha256Of, type Sha256 } from "../protocol/store-paths/sha256.ts";
import { isSignedBy } from "./signatures.ts";

export interface OpenedStatement {
  readonly statement: Statement;
  readonly key: SigningKey;
  /** The hash of the bytes that are signed. */
  readonly hash: Sha256;
}

export interface OpenedEnvelope {
  readonly order: Order;
  readonly key: SigningKey;
  readonly statement?: OpenedStatement;
}

export const hashOfStatement = (bytes: Uint8Array): Sha256 =>
  sha256Of(createHash("sha256").update(bytes).digest());

/** @throws HomelabError `BAD_ORDER`, `BAD_SIGNATURE` or `BAD_STATEMENT` */
export function openEnvelope(bytes: Uint8Array): OpenedEnvelope {
  const envelope = decodeEnvelope(bytes);
  const order = bytesOf(envelope.order);
  const { key, sig } = envelope.sig;
  if (!isSignedBy("order", order, key, bytesOf(sig))) {
    throw new HomelabError("refused", `the order is not signed by the key it names, ${key}`, {
      code: "BAD_SIGNATURE",
      hint: "it was changed on its way, or made by something else; order again",
    });
  }
  const { statement, statementSig } = envelope;
  if ((statement === undefined) !== (statementSig === undefined)) {
    throw badStatement("a statement and its signature must come together");
  }
  return {
    order: decodeOrder(order),
    key,
    ...(statement === undefined || statementSig === undefined
      ? {}
      : { statement: openStatement({ statement, sig: statementSig }) }),
  };
}

/** @throws HomelabError `refused` `BAD_STATEMENT` */
export function openStatement({ statement, sig }: SignedStatement): OpenedStatement {
  const bytes = bytesOf(statement);
  if (!isSignedBy("statement", bytes, sig.key, bytesOf(sig.sig))) {
    throw badStatement(`the statement is not signed by the key it names, ${sig.key}`);
  }
  return { statement: decodeStatement(bytes), key: sig.key, hash: hashOfStatement(bytes) };
}

const badStatement = (message: string): HomelabError =>
  new HomelabError("refused", message, {
    code: "BAD_STATEMENT",
    hint: "build the host again, so that the builder signs a new statement",
  });
