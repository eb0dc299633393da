// `deploy`, `rollback`, `reboot` and `hosts` as people run them: processes of their own, a real NATS server with the generated
// permissions, and a host that judges each order as hosts do.
import { execFile, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { compileCache } from "../support/compile-cache.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { signStatement } from "../../src/signing/sign-envelope.ts";
import { createSigningKey, loadSigner } from "../../src/signing/signing-key-file.ts";
import { goodDeployment } from "../support/deploy-events.ts";
import { somePath, somePolicy, someSigner, someStatement } from "../support/deploy-orders.ts";
import { someHostState } from "../support/fake-deploy-bus.ts";
import { playHost, type PlayedHost } from "../support/played-host.ts";
import { startRolesServer, type RolesServer } from "../support/start-roles-server.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");
const address = { repo: parseRepoName("servers"), host: parseHostName("db1") };

interface Lab {
  readonly server: RolesServer;
  readonly host: PlayedHost;
  /** The builder states this closure for the host. */
  state(name: string): Promise<void>;
  run(args: readonly string[], onStarted?: (child: ChildProcess) => void): Promise<Result>;
}
interface Result {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }): Promise<Lab> => {
  const stack = new AsyncDisposableStack();
  onCleanup(() => stack.disposeAsync());
  const directory = await mkdtemp(join(tmpdir(), "deploy-command-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const server = stack.use(await startRolesServer());
  const keyFile = join(directory, "order.seed");
  await createSigningKey(keyFile);
  const { key } = await loadSigner(keyFile);
  const may = ["deploy", "rollback", "reboot"];
  const policy = somePolicy({ ...address, trustedKeys: [{ name: "kai", key, may }] });
  const host = stack.use(
    await playHost(await server.connect("neighbour"), {
      policy,
      state: someHostState({ ...address, serial: 0 }),
    }),
  );
  const builder = await server.connect("builder1");
  stack.defer(() => builder.close());
  const config = join(directory, "config.json");
  await writeFile(
    config,
    JSON.stringify({ nats: { servers: [server.url], ...server.settingsOf("operator") } }),
  );
  return {
    server,
    host,
    async state(name) {
      const signed = signStatement(
        someStatement({ ...address, path: somePath(name), at: new Date().toISOString() }),
        someSigner("builder"),
      );
      const build = newBuildId(new Date());
      const at = new Date().toISOString();
      const stated = { build, ...signed };
      await createBuilderBus(builder).results.putHost(
        { ...address, verdict: "built", build, at, outPath: somePath(name), cached: true, stated },
        AbortSignal.timeout(60_000),
      );
    },
    run: async (args, onStarted) =>
      new Promise((resolve) => {
        const child = execFile(
          process.execPath,
          [program, ...args],
          {
            env: {
              ...process.env,
              ...compileCache,
              HOME: directory,
              HOMELAB_DEPLOY_CONFIG: config,
              HOMELAB_DEPLOY_KEY: keyFile,
            },
          },
          (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
        );
        onStarted?.(child);
      }),
  };
});

test("what was stated is deployed, and then there is nothing to do", async ({ lab }) => {
  await lab.state("first");
  const planned = await lab.run(["deploy", "db1", "--plan", "--json"]);
  expect(planned).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(planned.stdout)).toMatchObject({
    hosts: [{ host: "db1", from: somePath("old"), to: somePath("first") }],
  });
  expect(lab.host.seen).toEqual([]);

  lab.host.play = goodDeployment;
  const deployed = await lab.run(["deploy", "db1", "--reason", "the fair"]);
  expect(deployed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^db1 {2}✓ completed/) });
  expect(deployed.stderr).toContain("db1: making it permanent");
  expect(lab.host.seen).toMatchObject([{ path: somePath("first"), reason: "the fair", action: "switch" }]);

  const again = await lab.run(["deploy", "servers/db*"]);
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("✓ unchanged") });
  expect(lab.host.seen).toHaveLength(1);
});

test("a host that goes back is no success, and a rollback goes to the system before", async ({ lab }) => {
  await lab.state("second");
  lab.host.play = (script) =>
    script.add("received").add("activating").add("rolling-back").add("finished", { outcome: "rolled-back" });
  const failed = await lab.run(["deploy", "db1", "--json"]);
  expect(failed.exitCode).toBe(1);
  const lines = failed.stdout.trim().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
    type: "finished",
    hosts: [{ host: "db1", outcome: "rolled-back", code: "UNHEALTHY", exitCode: 1 }],
  });

  lab.host.play = goodDeployment;
  const back = await lab.run(["rollback", "db1"]);
  expect(back).toMatchObject({ exitCode: 0 });
  expect(lab.host.state().running.path).toBe(somePath("old"));
  const further = await lab.run(["rollback", "db1"]);
  expect(further).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("no good system before") });
});

test("what the key may not, and what a host does not know, exits with the code's exit code", async ({
  lab,
}) => {
  await lab.state("third");
  const refused = await lab.run(["deploy", "db1", "--allow-downgrade"]);
  expect(refused.exitCode).toBe(4);
  expect(refused.stdout).toContain("(SIGNER_MAY_NOT)");
  expect(lab.host.seen.at(-1)).toBe("SIGNER_MAY_NOT");
  const unknown = await lab.run(["deploy", "db2"]);
  expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("did you mean db1?") });
  const withNatsKey = lab.server.settingsOf("operator").nkeyFile;
  const wrongKey = await lab.run(["deploy", "db1", "--key", withNatsKey]);
  expect(wrongKey).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("contains a NATS key") });
});

test("Ctrl-C leaves the host to itself", async ({ lab }) => {
  await lab.state("fourth");
  lab.host.play = (script) => script.add("received").add("activating");
  const before = lab.host.seen.length;
  const interrupted = await lab.run(["deploy", "db1"], (child) => {
    child.stderr?.on("data", (data: string) => {
      if (data.includes("activating")) child.kill("SIGINT");
    });
  });
  expect(interrupted).toMatchObject({
    exitCode: 130,
    stderr: expect.stringContaining("db1 continues by itself"),
  });
  expect(lab.host.seen).toHaveLength(before + 1);
});

test("hosts says what runs where, and an operator can keep a host from being deployed", async ({ lab }) => {
  const listed = await lab.run(["hosts"]);
  expect(listed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(listed.stdout).toMatch(/^Host +Runs +Behind +Since +State +Seen\ndb1 /);
  const shown = await lab.run(["hosts", "show", "db1"]);
  expect(shown.stdout).toMatch(/Goes back .*\n[^]*Deployed +By +To +Outcome/);
  expect(shown.stdout).toContain("rolled back: gitea.service failed (UNHEALTHY)");
  expect(JSON.parse((await lab.run(["hosts", "show", "db1", "--json"])).stdout)).toMatchObject({
    running: { host: "db1", state: { running: { path: somePath("old") } } },
  });

  const held = await lab.run(["hosts", "hold", "db1", "--reason", "the fair", "--until", "2099-12-24"]);
  expect(held).toMatchObject({ exitCode: 0, stdout: "db1 is held until 2099-12-24T23:59:59.000Z.\n" });
  expect((await lab.run(["hosts"])).stdout).toContain("held: the fair");
  const refused = await lab.run(["deploy", "db1"]);
  expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("holds it: the fair") });
  expect((await lab.run(["hosts", "release", "db1"])).exitCode).toBe(0);
  expect((await lab.run(["deploy", "db1", "--plan"])).exitCode).toBe(0);
});
