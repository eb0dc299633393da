import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Transport } from "./transport.ts";

test("a server that accepts and says nothing is left alone when we give up", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const transport = new Transport();
  const connecting = transport.connect({ hostname: "127.0.0.1", port, tlsName: "" }, {});
  const failed = connecting.then(
    () => false,
    () => true,
  );
  const [socket] = await accepted;
  const closed = once(socket.resume(), "close");
  await expect.poll(() => transport.socket).toBeDefined();
  await transport.close();
  await closed;
  expect(await failed).toBe(true);
});
