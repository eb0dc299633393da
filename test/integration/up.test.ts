import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { inspectAccounts } from "../../src/bus/server/inspect-accounts.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { aBuildId, accepted, anEvent, finished } from "../support/builds.ts";
import { freePort } from "../support/free-port.ts";
import { test } from "../support/homelab.ts";
import { connectTo, startNatsServer } from "../support/nats-server.ts";
import { processesWith } from "../support/processes.ts";

test("up starts everything, builds what is there, and leaves nothing running", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 2, salt: "up" });
  const state = await mkdtemp(join(tmpdir(), "homelab-up-"));
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  const environment = { HOMELAB_DEPLOY_CONFIG: "" };
  try {
    let built: { exitCode: unknown; stdout: string } | undefined;
    const up = await homelab.run(
      ["up", "--repo", `fleet=${homelab.fleet.url}`, "--state", state, "--port", String(port)],
      {
        environment,
        onStarted(child) {
          child.stderr?.on("data", (chunk: Buffer) => {
            if (!chunk.toString().includes("NATS is ready")) return;
            void homelab.run(["build", "--all", "--server", url], { environment }).then((result) => {
              built = result;
              return child.kill("SIGTERM");
            });
          });
        },
      },
    );
    expect(built?.stdout).toContain("2 hosts succeeded");
    expect(built?.exitCode).toBe(0);
    for (const command of ["build --all", "watch", "status"]) {
      expect(up.stderr).toContain(`NATS_URL=${url} homelab-deploy ${command}`);
    }
    expect(up.exitCode).toBe(0);
    await vi.waitFor(async () => expect(await processesWith(state)).toEqual([]), { timeout: 30_000 });
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});

test("up keeps the streams of a release without accounts, and its clients may not speak for the builder", async ({
  homelab,
}) => {
  await homelab.fleet.commit({ hosts: 1, salt: "up-accounts" });
  const state = await mkdtemp(join(tmpdir(), "homelab-up-"));
  const port = await freePort();
  const storeDirectory = join(state, "nats", "jetstream");
  const earlier = aBuildId();
  {
    const plain = (place: { port: number }): string =>
      `listen: "127.0.0.1:${place.port}"\njetstream { store_dir: ${JSON.stringify(storeDirectory)} }\n`;
    await using server = await startNatsServer(plain);
    await using connection = await connectTo(server);
    await setUpStreams(connection);
    const log = await createBuilderBus(connection).openEventLog(earlier, [], AbortSignal.timeout(10_000));
    await log.append(anEvent(earlier, 0, accepted), AbortSignal.timeout(10_000));
    await log.append(anEvent(earlier, 1, finished), AbortSignal.timeout(10_000));
  }
  try {
    const url = `nats://127.0.0.1:${port}`;
    let seen:
      | { readonly builds: readonly string[]; readonly layout: string; readonly mayForge: boolean }
      | undefined;
    await homelab.run(
      ["up", "--repo", `fleet=${homelab.fleet.url}`, "--state", state, "--port", String(port), "--poll", "0"],
      {
        environment: { HOMELAB_DEPLOY_CONFIG: "" },
        onStarted(child) {
          child.stderr?.on("data", (chunk: Buffer) => {
            if (!chunk.toString().includes("NATS is ready")) return;
            void (async () => {
              await using client = await connectTo({ url });
              const forged = client.nats.request(`build-events.${earlier}`, "{}", { timeout: 2000 });
              seen = {
                builds: await createReader(client).listBuilds(AbortSignal.timeout(10_000)),
                layout: await inspectAccounts(client),
                mayForge: await forged.then(
                  () => true,
                  () => false,
                ),
              };
            })().finally(() => child.kill("SIGTERM"));
          });
        },
      },
    );
    expect(seen).toEqual({ builds: [earlier], layout: "separate", mayForge: false });
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});

test("up says what is missing, what is in the way, and what it was not told", async ({ homelab }) => {
  const environment = { HOMELAB_DEPLOY_CONFIG: "" };
  const nothing = await homelab.run(["up"], { environment });
  expect(nothing.exitCode).toBe(2);
  expect(nothing.stderr).toContain("--repo URL");

  const taken = await homelab.run(
    ["up", "--repo", `fleet=${homelab.fleet.url}`, "--port", String(homelab.server.port)],
    { environment },
  );
  expect(taken.exitCode).toBe(4);
  expect(taken.stderr).toContain("--port");

  const empty = await mkdtemp(join(tmpdir(), "homelab-path-"));
  const { promisify } = await import("node:util");
  const git = (await promisify(execFile)("which", ["git"])).stdout.trim();
  await promisify(execFile)("ln", ["-s", git, join(empty, "git")]);
  const missing = await homelab.run(
    ["up", "--repo", `fleet=${homelab.fleet.url}`, "--port", String(await freePort())],
    {
      environment: { ...environment, PATH: empty },
    },
  );
  await rm(empty, { recursive: true });
  expect(missing.stderr).toContain("nats-server");
  expect(missing.stderr).toContain("apt-get install nats-server");
  expect(missing.exitCode).toBe(3);
});

test("build --local builds in its own process, without NATS", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 2, salt: "local", buildFail: { host02: "exit1" } });
  const good = await homelab.run(["build", "--local", "host01"], {
    environment: { NATS_URL: "nats://127.0.0.1:1" },
  });
  expect(good.exitCode).toBe(0);
  const bad = await homelab.run(["build", "--local", "--all", "--json"]);
  expect(bad.exitCode).toBe(1);
  const last: unknown = JSON.parse(bad.stdout.trim().split("\n").at(-1) ?? "");
  expect(last).toMatchObject({ type: "finished", verdict: "failed" });
});
