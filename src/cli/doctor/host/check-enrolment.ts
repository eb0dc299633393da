// Whether NATS knows this host: its key is among the users, as the one of this host, and its order can be read.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { hasCode, messageOf } from "../../../base/errors.ts";
import type { Connection, ConnectionOptions } from "../../../bus/connect/connection.ts";
import { maySubscribe, probePermissions, probesOf } from "../../../bus/server/probe-permissions.ts";
import { inboxPrefixOf } from "../../../bus/server/permissions.ts";
import { publicKeyOf } from "../../../bus/server/keys.ts";
import type { HostAddress } from "../../../bus/deploy-bus.ts";
import { createListenerBus } from "../../../bus/deploy/create-listener-bus.ts";
import { newBuildId } from "../../../protocol/ulid.ts";
import { listenerKeyFile } from "../../../wiring/listener/listener-key.ts";
import { judgeRights } from "../nats/check-nats-rights.ts";
import { findingOf, isWrong, ok, unknown, wrong, type Finding } from "../finding.ts";
import { natsSilent } from "./check-witnesses.ts";

const check = "enrolment";
const orderMs = 5_000;

export interface EnrolmentParts {
  readonly address: HostAddress;
  /** Where NATS is, and the key of the configuration, where it names one. */
  readonly target: Omit<ConnectionOptions, "name" | "role">;
  /** The state directory of the listener, which keeps its own key there. */
  readonly stateDirectory: string;
  readonly connect: (options: ConnectionOptions, signal: AbortSignal) => Promise<Connection>;
  readonly clock: Clock;
}

/** What comes later is only looked at when what it needs is in order. */
export async function checkEnrolment(
  parts: EnrolmentParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { address, target, stateDirectory, connect, clock } = parts;
  const nkeyFile = target.nkeyFile ?? join(stateDirectory, listenerKeyFile);
  const key =
    target.credentialsFile === undefined ? await readKey(nkeyFile) : { publicKey: "its credentials" };
  if ("check" in key) return [key];
  const inboxPrefix = inboxPrefixOf({ role: "listener", ...address });
  try {
    await using connection = await connect(
      {
        ...target,
        ...(target.credentialsFile === undefined ? { nkeyFile } : {}),
        inboxPrefix,
        name: "homelab-deploy doctor",
        role: "command",
      },
      signal,
    );
    if (!(await maySubscribe(connection.nats, `${inboxPrefix}.homelab-deploy-doctor`))) {
      return [
        notAdmitted(`NATS knows ${key.publicKey} as a user other than this host`, address, key.publicKey),
      ];
    }
    const rights = judgeRights(
      { role: "listener", ...address },
      await probePermissions(connection, probesOf({ role: "listener", ...address }, newBuildId(clock.now()))),
    );
    const name = `${address.repo}/${address.host}`;
    const admitted = ok(check, `NATS knows ${key.publicKey} as the listener of ${name}`);
    if (rights.some(isWrong)) return [admitted, ...rights];
    return [admitted, ...rights, await checkOrders(connection, address, clock, signal)];
  } catch (error) {
    signal.throwIfAborted();
    if (hasCode(error, "NATS_AUTH")) {
      return [notAdmitted(`not admitted: NATS does not know ${key.publicKey}`, address, key.publicKey)];
    }
    const finding = findingOf("NATS server", error);
    return [hasCode(error, "NATS_UNREACHABLE") ? { ...finding, cause: natsSilent } : finding];
  }
}

async function readKey(file: string): Promise<Finding | { readonly publicKey: string }> {
  try {
    return { publicKey: publicKeyOf(await readFile(file, "utf8"), file) };
  } catch (error) {
    if (hasCode(error, "EACCES")) {
      const advice = "run doctor as root on this host";
      return unknown(check, `this user may not read the key of the listener, ${file}`, advice);
    }
    if (!hasCode(error, "ENOENT")) return findingOf(check, error);
    const advice = "start the listener, and see its log: systemctl status homelab-deploy-listener";
    return wrong(check, `there is no key in ${file}: the listener has never started`, advice);
  }
}

const notAdmitted = (message: string, { repo, host }: HostAddress, publicKey: string): Finding =>
  wrong(
    check,
    message,
    `add it to the users of NATS, with \`homelab-deploy nats config --listener ${repo}/${host}=${publicKey}\`, and reload the server`,
  );

async function checkOrders(
  connection: Connection,
  address: HostAddress,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const order = await withDeadline(
      { clock, milliseconds: orderMs, error: () => new Error("no answer") },
      signal,
      async (limited) => createListenerBus(connection, address).newestOrder(limited),
    );
    return ok(
      "orders",
      order === undefined ? "nothing was ordered yet" : `the newest is of ${order.storedAt.toISOString()}`,
    );
  } catch (error) {
    signal.throwIfAborted();
    // Who lacks a stream is not told so from another account: nothing answers.
    if (hasCode(error, "NATS_PERMISSION")) return findingOf("orders", error);
    return wrong(
      "orders",
      `NATS does not give this host its order: ${messageOf(error)}`,
      "see with the admin's key whether all streams are there: homelab-deploy nats setup --check",
    );
  }
}
