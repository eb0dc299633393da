import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { ActivatorRequest } from "../activator-messages.ts";
import { createActivatorClient } from "./activator-client.ts";

const test = base.extend("path", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-activator-"));
  onCleanup(async () => rm(directory, { recursive: true, force: true }));
  return join(directory, "activate.sock");
});

async function answering(path: string, answer: (line: string, socket: Socket) => void) {
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += String(data);
      if (text.endsWith("\n")) answer(text, socket);
    });
  }).listen(path);
  await once(server, "listening");
  return { [Symbol.dispose]: () => void server.close() };
}

const network: ActivatorRequest = { type: "network", oldNats: true, witnesses: [] };
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

test("one line goes there, one comes back", async ({ path }) => {
  const heard: string[] = [];
  using _ = await answering(path, (line, socket) => {
    heard.push(line);
    socket.write('{"answer":"ignored",');
    socket.end('"detail":"an activation runs"}\n');
  });
  const client = createActivatorClient(path, systemClock);
  expect(await client.ask(network, signal())).toEqual({ answer: "ignored", detail: "an activation runs" });
  expect(heard).toEqual([`${JSON.stringify(network)}\n`]);
});

test.for([
  ["it hangs up", ""],
  ["it says something else", "hello\n"],
  ["it never stops", "x".repeat(1024 * 1024)],
] as const)("is unavailable where %s", async ([, answer], { path }) => {
  using _ = await answering(path, (_line, socket) => void socket.end(answer));
  await expect(createActivatorClient(path, systemClock).ask(network, signal())).rejects.toMatchObject({
    kind: "unavailable",
    code: "ACTIVATOR_UNREACHABLE",
  });
});

test("is unavailable where nobody listens", async ({ path }) => {
  await expect(createActivatorClient(path, systemClock).ask(network, signal())).rejects.toMatchObject({
    code: "ACTIVATOR_UNREACHABLE",
    hint: expect.stringContaining("homelab-deploy-activate.socket"),
  });
});
