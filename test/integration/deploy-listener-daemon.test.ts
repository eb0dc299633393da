// `homelab-deploy listener` as its unit starts it: ready before NATS is there, with a key of its own, admitted later.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createDeployBus } from "../../src/bus/deploy/create-deploy-bus.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { inboxPrefixOf, type NatsUser } from "../../src/bus/server/permissions.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { openJournal } from "../../src/deploy/journal-file.ts";
import { encodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { freePort } from "../support/free-port.ts";
import { connectTo, serverVersion, startNatsServer } from "../support/nats-server.ts";
import { signedOrder, somePolicy } from "../support/deploy-orders.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");
const address = { repo: parseRepoName("servers"), host: parseHostName("web1") };
const poll = { timeout: 60_000 };

interface Daemon {
  readonly process: ChildProcess;
  log(): string;
}

function start(directory: string): Daemon {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", process.execPath, program, "listener"], {
    env: {
      PATH: `${join(directory, "bin")}:${process.env["PATH"]}`,
      HOMELAB_DEPLOY_CONFIG: join(directory, "config.json"),
      NOTIFY_SOCKET: join(directory, "notify.sock"),
      HOME: directory,
      // As in the unit.
      NODE_OPTIONS: "--max-semi-space-size=1",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { process: child, log: () => text };
}

test("a host makes its own key, is ready before NATS is there, and works once its key is admitted", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-listener-daemon-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => rm(directory, { recursive: true, force: true }));
  const users: NatsUser[] = [
    { role: "admin", publicKey: await writeNewKey(join(directory, "admin.nk")) },
    { role: "operator", publicKey: await writeNewKey(join(directory, "operator.nk")) },
  ];
  const version = await serverVersion();
  const place = { port: 0, storeDirectory: "" };
  const configOf = ({ port, storeDirectory }: typeof place): string =>
    serverConfig({ listen: `127.0.0.1:${port}`, storeDirectory, serverVersion: version, users });
  const server = cleanup.use(
    await startNatsServer((given) => {
      Object.assign(place, given);
      return configOf(given);
    }),
  );
  const connect = async (user: NatsUser, name: string) =>
    cleanup.use(
      await connectTo(server, {
        nkeyFile: join(directory, `${name}.nk`),
        inboxPrefix: inboxPrefixOf(user),
        role: "daemon",
      }),
    );
  await setUpStreams(await connect({ role: "admin", publicKey: "" }, "admin"));
  const operator = createDeployBus(await connect({ role: "operator", publicKey: "" }, "operator"));
  await server.kill();

  const journalDirectory = join(directory, "deploy");
  const journal = await openJournal({
    directory: journalDirectory,
    ...address,
    bootId: "b",
    clock: systemClock,
  });
  await journal[Symbol.asyncDispose]();
  await writeFile(
    join(directory, "host.json"),
    encodeHostPolicy(somePolicy({ ...address, natsServers: [server.url] })),
  );
  const socket = join(directory, "activate.sock");
  const listen = `127.0.0.1:${await freePort()}`;
  // Somebody else has the address at first: that keeps no host from being deployed to.
  const squatter = createServer().listen(Number(listen.split(":")[1]), "127.0.0.1");
  await once(squatter, "listening");
  await writeFile(
    join(directory, "config.json"),
    JSON.stringify({
      listener: {
        policyFile: join(directory, "host.json"),
        stateDirectory: join(directory, "state"),
        journalDirectory,
        socket,
        metrics: { listen },
      },
    }),
  );
  const scrape = async (): Promise<string> =>
    fetch(`http://${listen}/metrics`).then(
      async (response) => response.text(),
      () => "",
    );
  const labels = 'repo="servers",host="web1"';
  await mkdir(join(directory, "bin"));
  const notify = join(directory, "bin/systemd-notify");
  await writeFile(notify, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${directory}/notified\n`);
  await chmod(notify, 0o755);

  const daemon = start(directory);
  cleanup.defer(() => void daemon.process.kill("SIGKILL"));
  await expect
    .poll(async () => readFile(join(directory, "notified"), "utf8").catch(() => ""), poll)
    .toBe(`${join(directory, "notify.sock")} --ready\n`);
  const keyFile = join(directory, "state/nats.nk");
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  const publicKey = /"publicKey":"(U[A-Z2-7]{55})"/.exec(daemon.log())?.[1] ?? "";
  expect(publicKey).not.toBe("");
  expect(daemon.log()).not.toContain((await readFile(keyFile, "utf8")).trim());

  await expect.poll(daemon.log, poll).toContain("the metrics are not served");
  squatter.close();

  await server.start();
  await expect.poll(daemon.log, poll).toContain("not admitted");
  await expect.poll(scrape, poll).toContain(`homelab_deploy_host_nats_connected{${labels}} 0\n`);
  expect((await fetch(`http://${listen}/healthz`)).status).toBe(503);
  users.push({ role: "listener", ...address, publicKey });
  await server.configure(configOf(place));
  await server.reload();
  const signal = AbortSignal.timeout(60_000);
  await expect.poll(async () => (await operator.hostState(address, signal))?.host, poll).toBe("web1");

  await expect.poll(scrape, poll).toContain(`homelab_deploy_host_nats_connected{${labels}} 1\n`);
  expect(await scrape()).toContain(`homelab_deploy_host_clock_ok{${labels}} 1\n`);
  expect(await scrape()).toContain(`homelab_deploy_host_running_info{`);
  expect(daemon.log().split("the metrics are not served")).toHaveLength(2);

  // And an order arrives at the socket of the activator, whose answer is understood.
  const heard: string[] = [];
  const activator = createServer((connection) => {
    connection.on("data", (data) => {
      heard.push(String(data));
      connection.end('{"answer":"taken"}\n');
    });
  }).listen(socket);
  cleanup.defer(() => void activator.close());
  const { envelope } = signedOrder({
    now: new Date(),
    order: { ...address, serial: Date.now(), expects: { any: true } },
    statement: { ...address },
  });
  expect(await operator.putOrder(address, envelope, 0, signal)).toBe(true);
  await expect.poll(() => heard.some((line) => line.includes('"type":"order"')), poll).toBe(true);
  const evidence = JSON.parse(heard.find((line) => line.includes('"type":"network"')) ?? "{}") as object;
  expect(evidence).toEqual({ type: "network", oldNats: true, witnesses: [] });

  daemon.process.kill("SIGTERM");
  const [code] = await once(daemon.process, "exit");
  expect(code).toBe(0);
}, 120_000);
