import { base64Of, encodeEnvelope, encodeOrder, type Order } from "../protocol/deploy/order.ts";
import {
  encodeStatement,
  signedStatement,
  type SignedStatement,
  type Statement,
} from "../protocol/deploy/statement.ts";
import type { Signer } from "./signing-key-file.ts";

/** The envelope as it is stored for the host. */
export function signOrder(order: Order, signer: Signer, stated?: SignedStatement): Uint8Array {
  const bytes = encodeOrder(order);
  return encodeEnvelope({
    v: 1,
    order: base64Of(bytes),
    sig: { key: signer.key, sig: base64Of(signer.sign("order", bytes)) },
    ...(stated === undefined ? {} : { statement: stated.statement, statementSig: stated.sig }),
  });
}

export function signStatement(statement: Statement, signer: Signer): SignedStatement {
  const bytes = encodeStatement(statement);
  return signedStatement(bytes, signer.key, signer.sign("statement", bytes));
}
