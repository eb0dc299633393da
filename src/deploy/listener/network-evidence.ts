// Who answers on the network: the NATS servers of the system before the new one, and witnesses that have nothing to do with
// NATS. A connection that opens is enough, and needs no key.
import { connect } from "node:net";
import { withDeadline } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import type { NetworkEvidence } from "../activator-messages.ts";

/** Whether something accepts connections there; NATS servers also greet with a line that begins with `INFO`. */
export type Dial = (address: DialAddress, signal: AbortSignal) => Promise<boolean>;

export interface DialAddress {
  readonly host: string;
  readonly port: number;
  readonly greets: boolean;
}

const patienceMs = 3000;
const defaultPorts: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "nats:": 4222,
  "tls:": 4222,
};

/** `https://cache.lan/x`, `10.0.0.1:22`, `nats://nats.lan`; undefined for anything that is not an address. */
export function parseAddress(text: string, greets: boolean): DialAddress | undefined {
  const url = URL.parse(/^[a-z]+:\/\//.test(text) ? text : `tcp://${text}`);
  const port = url === null ? 0 : url.port === "" ? defaultPorts[url.protocol] : Number(url.port);
  if (url === null || url.hostname === "" || port === undefined || port === 0) return undefined;
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, greets };
}

export interface NetworkQuestion {
  readonly natsServers: readonly string[];
  readonly witnesses: readonly string[];
}

/** Asks all of them at once, for at most three seconds. */
export async function lookAtNetwork(
  { natsServers, witnesses }: NetworkQuestion,
  dial: Dial,
  clock: Clock,
  signal: AbortSignal,
): Promise<NetworkEvidence> {
  const answers = async (text: string, greets: boolean): Promise<boolean> => {
    const address = parseAddress(text, greets);
    if (address === undefined) return false;
    const error = (): Error => new Error("no answer");
    return withDeadline({ clock, milliseconds: patienceMs, error }, signal, async (limited) =>
      dial(address, limited),
    ).catch(() => false);
  };
  const asked = witnesses.slice(0, 50);
  const [nats, others] = await Promise.all([
    Promise.all(natsServers.map(async (server) => answers(server, true))),
    Promise.all(asked.map(async (witness) => answers(witness, false))),
  ]);
  signal.throwIfAborted();
  return { oldNats: nats.includes(true), witnesses: asked.filter((_, index) => others[index] === true) };
}

export const dialTcp: Dial = async ({ host, port, greets }, signal) => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, signal });
  socket.on("error", () => resolve(false));
  socket.on("close", () => resolve(false));
  socket.once(greets ? "data" : "connect", (data?: Uint8Array) =>
    resolve(!greets || new TextDecoder().decode(data?.subarray(0, 5)) === "INFO "),
  );
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
};
