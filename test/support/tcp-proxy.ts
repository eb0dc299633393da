// A TCP proxy on the loopback that can lose answers and cut connections, as networks do.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on what the server sends is lost, until the connections are cut. */
  loseAnswers(): void;
  /** Ends all connections; new ones work again. */
  cut(): void;
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let losing = false;
  const listener = createServer((client) => {
    const server = connect(serverPort, "127.0.0.1");
    const pair = [client, server] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => {
      if (!losing) client.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  const cut = (): void => {
    losing = false;
    for (const [client, server] of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  return {
    port: address.port,
    loseAnswers() {
      losing = true;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      listener.close();
      await once(listener, "close");
    },
  };
}
