import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { dialTcp, lookAtNetwork, parseAddress } from "./network-evidence.ts";

test.each([
  ["https://cache.lan/nix-cache-info", { host: "cache.lan", port: 443 }],
  ["http://cache.lan:8080", { host: "cache.lan", port: 8080 }],
  ["10.0.0.1:22", { host: "10.0.0.1", port: 22 }],
  ["nats://nats.lan", { host: "nats.lan", port: 4222 }],
  ["tls://[fd00::1]:4333", { host: "fd00::1", port: 4333 }],
  ["[fd00::1]:22", { host: "fd00::1", port: 22 }],
  ["10.0.0.1", undefined],
  ["", undefined],
  ["http://", undefined],
] as const)("the address of %j", (text, expected) => {
  expect(parseAddress(text, false)).toEqual(expected && { ...expected, greets: false });
});

async function startServer(greeting: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    if (greeting !== "") socket.write(greeting);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("NATS has to greet; a witness only has to be there", async () => {
  const [nats, other] = [await startServer("INFO {}\r\n"), await startServer("SSH-2.0-x\r\n")];
  const look = async (natsServers: readonly string[], witnesses: readonly string[]) =>
    lookAtNetwork({ natsServers, witnesses }, dialTcp, systemClock, AbortSignal.timeout(60_000));
  const [there, wrong] = [`nats://127.0.0.1:${nats.port}`, `nats://127.0.0.1:${other.port}`];
  const witness = `127.0.0.1:${other.port}`;
  expect(await look([wrong, there], [witness])).toEqual({ oldNats: true, witnesses: [witness] });
  expect(await look([wrong], [witness, "127.0.0.1:1", "nonsense"])).toEqual({
    oldNats: false,
    witnesses: [witness],
  });
  other.close();
  nats.close();
  expect(await look([there], [witness])).toEqual({ oldNats: false, witnesses: [] });
});

test("what never answers is silent after three seconds", async () => {
  const clock = createFakeClock();
  const looking = lookAtNetwork(
    { natsServers: ["nats://nats.lan"], witnesses: [] },
    async () => new Promise(() => undefined),
    clock,
    new AbortController().signal,
  );
  await clock.advance(3000);
  expect(await looking).toEqual({ oldNats: false, witnesses: [] });
});
