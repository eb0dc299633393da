// Stopping a command before it has a connection, and what nobody catches.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = join(import.meta.dirname, "../../src/cli/main.ts");
const id = "01JDB3K2M4N5P6Q7R8S9T0V1W2";

/** Takes connections and says nothing, as a server does whose machine hangs. */
const silent = createServer();
const sockets = new Set<Socket>();
const children = new Set<ReturnType<typeof spawn>>();

beforeAll(async () => {
  silent.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const socket of sockets) socket.destroy();
  silent.close();
});

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

async function run(
  args: readonly string[],
  onConnected: (child: ReturnType<typeof spawn>) => void,
  nodeArgs: readonly string[] = [],
): Promise<Ended> {
  const { port } = silent.address() as AddressInfo;
  const child = spawn(
    process.execPath,
    [...nodeArgs, main, "--server", `nats://127.0.0.1:${port}`, ...args],
    {
      env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  children.add(child);
  const connected = (): void => onConnected(child);
  silent.once("connection", connected);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  silent.off("connection", connected);
  children.delete(child);
  return { code, stderr };
}

test.each([
  ["build", "web01"],
  ["build", "web01", "--detach"],
  ["builds", "list"],
  ["builds", "show", "last"],
  ["builds", "cancel", id],
  ["logs", id],
  ["logs", id, "--follow"],
  ["hosts"],
  ["nats", "setup", "--check"],
])("Ctrl-C while `%s %s %s` connects is no error", async (...args) => {
  const words = args.filter((word) => word !== undefined);
  expect(await run(words, (child) => child.kill("SIGINT"))).toEqual({ code: 130, stderr: "" });
});

test("SIGTERM while a command connects", async () => {
  expect(await run(["build", "web01"], (child) => child.kill("SIGTERM"))).toEqual({ code: 143, stderr: "" });
});

test("what nobody catches is a bug, with its stack, and not a failed build", async () => {
  const stray = "data:text/javascript,setTimeout(() => Promise.reject(new Error('stray')), 300)";
  const { code, stderr } = await run(["build", "web01"], () => undefined, ["--import", stray]);
  expect(code).toBe(70);
  expect(stderr).toContain("error: internal error: stray");
  expect(stderr).toContain("    at ");
});

test("a command that nothing keeps running before it knows its result is a bug, and no success", async () => {
  // What no socket and no timer holds has no event to wait for, and Node ends it as if all was done.
  const nothingHolds = `
    import net from "node:net";
    import timers from "node:timers";
    import promises from "node:timers/promises";
    import { syncBuiltinESMExports } from "node:module";
    const { connect } = net.Socket.prototype;
    net.Socket.prototype.connect = function (...args) { return connect.apply(this, args).unref(); };
    for (const name of ["setTimeout", "setInterval"]) {
      const start = globalThis[name];
      globalThis[name] = timers[name] = (...args) => start(...args).unref();
    }
    const { setTimeout: sleep } = promises;
    promises.setTimeout = (ms, value, options) => sleep(ms, value, { ...options, ref: false });
    syncBuiltinESMExports();
  `;
  const preload = `data:text/javascript,${encodeURIComponent(nothingHolds)}`;
  let isWaiting = false;
  const ended = await run(["build", "web01"], () => (isWaiting = true), ["--import", preload]);
  expect(isWaiting).toBe(true);
  expect(ended.code).toBe(70);
  expect(ended.stderr).toMatch(
    /^error: the command has nothing left to wait for, and no result\nhint: this is a bug in homelab-deploy/,
  );
});
