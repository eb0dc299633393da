// What a key may do on a real server, against a table that says what it should.
import { PermissionViolationError } from "@nats-io/transport-node";
import type { Connection } from "../../src/bus/connect/connection.ts";
import type { TestUser } from "./start-roles-server.ts";

export interface Probe {
  readonly subject: string;
  readonly allowed: readonly TestUser[];
  readonly payload?: string;
  readonly queue?: string;
  /** The admin may, but then nothing would be left to test. */
  readonly destructive?: boolean;
}

async function mayPublish({ nats }: Connection, { subject, payload }: Probe): Promise<boolean> {
  try {
    await nats.request(subject, payload, { timeout: 250 });
    return true;
  } catch (error) {
    // No answer, or nobody there to answer, is what the server says after it let the message through.
    return !(error instanceof Error && error.cause instanceof PermissionViolationError);
  }
}

async function maySubscribe({ nats }: Connection, { subject, queue }: Probe): Promise<boolean> {
  let refused = false;
  const subscription = nats.subscribe(subject, {
    queue,
    callback: (error) => {
      refused ||= error instanceof PermissionViolationError;
    },
  });
  await nats.flush();
  if (!refused) subscription.unsubscribe();
  return !refused;
}

/** `may SUBJECT` and `may not SUBJECT`, where the table says otherwise. */
const wrong =
  (may: (connection: Connection, probe: Probe) => Promise<boolean>) =>
  async (connection: Connection, user: TestUser, probes: readonly Probe[]): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const probe of probes) {
      if (probe.destructive === true && user === "admin") continue;
      const allowed = await may(connection, probe);
      if (allowed !== probe.allowed.includes(user)) {
        found.push(`${allowed ? "may" : "may not"} ${probe.subject}`);
      }
    }
    return found;
  };

export const wrongPublishing = wrong(mayPublish);
export const wrongSubscribing = wrong(maySubscribe);
