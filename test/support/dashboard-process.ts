// The dashboard as a process of its own, as it runs for people: for what is measured of it alone.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import type { NatsServer } from "./nats-server.ts";
import { nodeFlags } from "./node-flags.ts";

const program = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface DashboardProcess extends AsyncDisposable {
  readonly url: string;
  /** Of `/metrics`, without the common beginning of the names. */
  metric(name: string): Promise<number>;
}

/** Ready once everything was read. */
export async function startDashboardProcess(server: Pick<NatsServer, "url">): Promise<DashboardProcess> {
  const directory = await mkdtemp(join(tmpdir(), "dashboard-"));
  const file = join(directory, "config.json");
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  await writeFile(file, JSON.stringify({ nats: { servers: [server.url] }, dashboard: { listen } }));
  const child = spawn(process.execPath, [...nodeFlags, program, "--config", file, "dashboard"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `http://${listen}`;
  const isReady = async (): Promise<boolean> =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`the dashboard ended with ${child.exitCode}`);
    await sleep(50);
  }
  return {
    url,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(
        new RegExp(`^homelab_deploy_dashboard_${name} (?<value>\\S+)$`, "m").exec(text)?.groups?.["value"],
      );
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
      await rm(directory, { recursive: true });
    },
  };
}
