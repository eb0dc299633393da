import { once } from "node:events";
import { createServer } from "node:net";

/** A port of the loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  return portOf(0);
}

/**
 * The same, below those that Linux gives to connections (`ip_local_port_range`): for a server that others dial before it
 * listens, or while it is away. One of theirs may otherwise get the port for its own end, and the server cannot start.
 */
export async function freeListenerPort(): Promise<number> {
  for (;;) {
    const port = 16_000 + Math.floor(Math.random() * 16_000);
    try {
      return await portOf(port);
    } catch {
      // taken
    }
  }
}

async function portOf(wanted: number): Promise<number> {
  const listener = createServer().listen(wanted, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  listener.close();
  await once(listener, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
