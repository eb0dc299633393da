import { expect, test } from "vitest";
import {
  someOrder,
  somePath,
  somePolicy,
  someSigner,
  someStatement,
} from "../../../test/support/deploy-orders.ts";
import { openEnvelope } from "../../signing/open-envelope.ts";
import { signOrder, signStatement } from "../../signing/sign-envelope.ts";
import { verifyOrder } from "./verify-order.ts";

interface Case {
  readonly order?: object;
  readonly statement?: object;
  readonly policy?: object;
  readonly signer?: string;
  readonly builder?: string;
  readonly noStatement?: boolean;
  readonly now?: string;
}

function judge({ order, statement, policy, signer = "kai", builder = "builder", noStatement, now }: Case) {
  const stated =
    noStatement === true ? undefined : signStatement(someStatement(statement), someSigner(builder));
  const envelope = signOrder(someOrder({ stated, ...order }), someSigner(signer), stated);
  const at = new Date(now ?? "2026-11-29T12:02:00.000Z");
  return verifyOrder(envelope, openEnvelope(envelope), somePolicy(policy), at)?.code;
}

const kai = (more: object) => ({ trustedKeys: [{ name: "kai", key: someSigner("kai").key, ...more }] });

test.each<[string, string | undefined, Case]>([
  ["an order as it should be", undefined, {}],
  ["a rollback without a statement", undefined, { order: { kind: "rollback" }, noStatement: true }],
  ["a tier that the key is for", undefined, { policy: kai({ may: ["deploy"], tiers: ["prod"] }) }],
  ["an unknown key", "UNTRUSTED_SIGNER", { signer: "mallory" }],
  [
    "a key over its date",
    "UNTRUSTED_SIGNER",
    { policy: kai({ may: ["deploy"], notAfter: "2026-01-01T00:00:00Z" }) },
  ],
  ["a kind that the key may not", "SIGNER_MAY_NOT", { policy: kai({ may: ["rollback"] }) }],
  [
    "a reboot that the key may not",
    "SIGNER_MAY_NOT",
    { order: { reboot: "now" }, policy: kai({ may: ["deploy"] }) },
  ],
  [
    "an allow that the key may not",
    "SIGNER_MAY_NOT",
    { order: { allow: { removesListener: true } }, policy: kai({ may: ["deploy"] }) },
  ],
  ["a key for another tier", "SIGNER_MAY_NOT", { policy: kai({ may: ["deploy"], tiers: ["test"] }) }],
  ["another host", "WRONG_HOST", { order: { host: "web02" } }],
  ["another repo", "WRONG_HOST", { order: { repo: "nixos" } }],
  ["no statement", "BAD_STATEMENT", { noStatement: true }],
  [
    "another statement than was signed for",
    "BAD_STATEMENT",
    { order: { statementHash: `sha256:0${"2".repeat(51)}` } },
  ],
  ["a statement of another host", "BAD_STATEMENT", { statement: { host: "web02" } }],
  ["a statement of another path", "BAD_STATEMENT", { statement: { path: somePath("other") } }],
  ["a builder that is not trusted", "UNTRUSTED_BUILDER", { builder: "mallory" }],
  ["a branch that is not allowed", "BRANCH_NOT_ALLOWED", { statement: { branch: "feature" } }],
  ["another platform", "WRONG_SYSTEM", { statement: { system: "aarch64-linux" } }],
  ["an order of tomorrow", "FUTURE", { now: "2026-11-28T12:00:00.000Z" }],
  ["an old order", "EXPIRED", { now: "2026-11-29T12:19:00.000Z" }],
])("%s: %s", (_, code, input) => {
  expect(judge(input)).toBe(code);
});
