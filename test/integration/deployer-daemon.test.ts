// `homelab-deploy deployer` as its unit starts it, on a server with the generated permissions.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createRolloutBus } from "../../src/bus/rollout/create-rollout-bus.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { parseRepoName } from "../../src/protocol/names.ts";
import { createSigningKey } from "../../src/signing/signing-key-file.ts";
import { freePort } from "../support/free-port.ts";
import { startRolesServer, type TestUser } from "../support/start-roles-server.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");
const servers = parseRepoName("servers");
const poll = { timeout: 60_000 };
const signal = AbortSignal.timeout(170_000);

interface Daemon {
  readonly process: ChildProcess;
  readonly log: () => string;
  readonly exited: Promise<number | null>;
}

const test = base
  .extend("roles", { scope: "file" }, async ({}, { onCleanup }) => {
    const server = await startRolesServer();
    onCleanup(async () => server[Symbol.asyncDispose]());
    return server;
  })
  .extend("lab", async ({ roles }, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-deployer-"));
    const running: ChildProcess[] = [];
    onCleanup(async () => {
      for (const child of running) child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    });
    const keyFile = join(directory, "orders.key");
    const publicKey = await createSigningKey(keyFile);
    // Instead of systemd's own program: what the unit would hear.
    await mkdir(join(directory, "bin"));
    const notify = join(directory, "bin/systemd-notify");
    await writeFile(notify, `#!/bin/sh\necho "$@" >> ${join(directory, "notified")}\n`);
    await chmod(notify, 0o755);
    return {
      directory,
      publicKey,
      notified: async () => readFile(join(directory, "notified"), "utf8").catch(() => ""),
      async start(deployer: object = {}, nats: object = {}, user: TestUser = "deployer"): Promise<Daemon> {
        const config = {
          nats: { servers: [roles.url], ...roles.settingsOf(user), ...nats },
          deployer: {
            keyFile,
            stateDirectory: join(directory, "state"),
            rollouts: { servers: { soakSeconds: 0 }, desktops: {} },
            ...deployer,
          },
        };
        await writeFile(join(directory, "config.json"), JSON.stringify(config));
        const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", process.execPath, program, "deployer"], {
          env: {
            PATH: `${join(directory, "bin")}:${process.env["PATH"]}`,
            HOMELAB_DEPLOY_CONFIG: join(directory, "config.json"),
            NOTIFY_SOCKET: join(directory, "notify.sock"),
            HOME: directory,
          },
          stdio: ["ignore", "pipe", "pipe"],
        });
        running.push(child);
        let text = "";
        for (const stream of [child.stdout, child.stderr]) {
          stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        }
        const exited = once(child, "exit").then(([code]) => code as number | null);
        return { process: child, log: () => text, exited };
      },
    };
  });

test("it says which key hosts have to trust, answers who asks, is measured, and stops in order", async ({
  lab,
  roles,
}) => {
  const port = await freePort();
  const daemon = await lab.start({ metrics: { listen: `127.0.0.1:${port}` } });
  await expect.poll(daemon.log, poll).toContain(lab.publicKey);
  await expect.poll(lab.notified, poll).toBe("--ready\n");

  await using connection = await roles.connect("operator");
  const bus = createRolloutBus(connection);
  const ask = async () => bus.askForRollout(servers, { by: "kai", planOnly: true }, signal);
  // Nobody built anything yet, and that is what it says.
  await expect.poll(ask, poll).toMatchObject({ type: "refused" });

  const page = async (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      async (response) => `${response.status} ${await response.text()}`,
      () => "no answer",
    );
  await expect.poll(async () => page("/healthz"), poll).toBe("200 ok\n");
  await expect
    .poll(async () => page("/metrics"), poll)
    .toContain('homelab_deploy_rollout_state{repo="servers",state="idle"} 1\n');
  expect(await page("/metrics")).toContain('homelab_deploy_hosts_absent{repo="desktops"} 0\n');

  daemon.process.kill("SIGTERM");
  expect(await daemon.exited).toBe(0);
  expect(daemon.log()).toContain("the deployer has stopped");
});

test("it is ready while NATS is away, and says what it waits for", async ({ lab }) => {
  const daemon = await lab.start({}, { servers: [`nats://127.0.0.1:${await freePort()}`] });
  await expect.poll(lab.notified, poll).toBe("--ready\n");
  await expect.poll(daemon.log, poll).toContain("NATS");
  daemon.process.kill("SIGTERM");
  expect(await daemon.exited).toBe(0);
});

test("a key that signs in to NATS does not sign orders", async ({ lab }) => {
  const keyFile = join(lab.directory, "nats.nk");
  await writeNewKey(keyFile);
  const daemon = await lab.start({ keyFile });
  expect(await daemon.exited).toBe(2);
  expect(daemon.log()).toContain("contains a NATS key, which must not sign orders");
  expect(await lab.notified()).toBe("");
});

test("a key that everybody may read does not sign orders either", async ({ lab }) => {
  await chmod(join(lab.directory, "orders.key"), 0o644);
  const daemon = await lab.start();
  expect(await daemon.exited).toBe(2);
  expect(daemon.log()).toContain("everybody on this machine may read the signing key");
});

test("with the NATS key of another role it does not start", async ({ lab }) => {
  const daemon = await lab.start({}, {}, "dashboard");
  expect(await daemon.exited).toBe(4);
  expect(daemon.log()).toContain("the NATS key of this deployer may not receive requests for rollouts");
});
