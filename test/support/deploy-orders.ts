// Orders, statements and who signs them, for tests.
import { createAccount } from "@nats-io/nkeys";
import * as v from "valibot";
import { HostPolicy, mayNames } from "../../src/protocol/deploy/host-policy.ts";
import { bytesOf, Order, OrderId } from "../../src/protocol/deploy/order.ts";
import { Statement, type SignedStatement } from "../../src/protocol/deploy/statement.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { hashOfStatement } from "../../src/signing/open-envelope.ts";
import { signOrder, signStatement } from "../../src/signing/sign-envelope.ts";
import { signerOf, type Signer } from "../../src/signing/signing-key-file.ts";

const signers = new Map<string, Signer>();

/** The same key for the same name, in one process. */
export function someSigner(name: string): Signer {
  const known = signers.get(name);
  if (known !== undefined) return known;
  const signer = signerOf(new TextDecoder().decode(createAccount().getSeed()), `${name}.seed`);
  signers.set(name, signer);
  return signer;
}

/** Who may order everything of the hosts of `somePolicy`, and who states what was built for them. */
export const operator = someSigner("kai");
export const builder = someSigner("builder");

export const somePath = (name: string): StorePath =>
  `/nix/store/${name
    .replaceAll(/[^0-9a-df-np-sv-z]/g, "0")
    .padEnd(32, "0")
    .slice(0, 32)}-nixos-system-${name}` as StorePath;

export const orderId = (number: number): OrderId =>
  v.parse(OrderId, `01JDB3K2M4N5P6Q7R8S9T0${String(1000 + number)}`);

export const someStatement = (changes: Partial<Record<keyof Statement, unknown>> = {}): Statement =>
  v.parse(Statement, {
    v: 1,
    repo: "nixos-servers",
    branch: "master",
    commit: "c".repeat(40),
    host: "web01",
    system: "x86_64-linux",
    path: somePath("new"),
    narHash: `sha256:0${"1".repeat(51)}`,
    at: "2026-11-29T12:00:00.000Z",
    ...changes,
  });

export const someOrder = ({
  stated,
  ...changes
}: Partial<Record<keyof Order, unknown>> & { readonly stated?: SignedStatement } = {}): Order =>
  v.parse(Order, {
    v: 1,
    id: orderId(1),
    kind: "activate",
    repo: "nixos-servers",
    host: "web01",
    serial: Date.parse("2026-11-29T12:01:00.000Z"),
    issuedAt: "2026-11-29T12:01:00.000Z",
    notAfter: "2026-11-29T12:16:00.000Z",
    action: "switch",
    path: somePath("new"),
    ...(stated === undefined ? {} : { statementHash: hashOfStatement(bytesOf(stated.statement)) }),
    expects: { running: somePath("old") },
    reboot: "never",
    by: "kai",
    ...changes,
  });

export const somePolicy = (changes: object = {}): HostPolicy =>
  v.parse(HostPolicy, {
    repo: "nixos-servers",
    host: "web01",
    system: "x86_64-linux",
    tier: "prod",
    trustedKeys: [{ name: "kai", key: operator.key, may: mayNames }],
    trustedBuilders: [{ name: "cache01", key: builder.key }],
    allowedBranches: ["master"],
    trustedCacheKeys: [],
    natsServers: ["nats://127.0.0.1:4222"],
    witnesses: ["http://cache"],
    ...changes,
  });

let serial = 1_000;

export interface OrderChanges {
  readonly order?: object;
  readonly statement?: object;
  readonly now?: Date;
  readonly signer?: Signer;
  readonly builder?: Signer;
}

/** A signed order as it would be stored, good now, with a serial above that of the one before. */
export function signedOrder({
  order: changes = {},
  statement = {},
  now = new Date("2026-11-23T14:00:00.000Z"),
  signer = operator,
  builder: stater = builder,
}: OrderChanges = {}) {
  const stated = signStatement(someStatement(statement), stater);
  const order = someOrder({
    stated,
    id: newBuildId(now),
    serial: ++serial,
    issuedAt: now.toISOString(),
    notAfter: new Date(now.getTime() + 15 * 60_000).toISOString(),
    ...changes,
  });
  const needsStatement = order.kind === "activate" || order.kind === "fetch";
  return { order, envelope: signOrder(order, signer, needsStatement ? stated : undefined) };
}
