// The dashboard from the configuration and a connection.
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Connection } from "../../bus/connect/connection.ts";
import { createReader } from "../../bus/create-reader.ts";
import { createDeployReader } from "../../bus/deploy/create-deploy-reader.ts";
import { createRolloutReader } from "../../bus/rollout/create-rollout-reader.ts";
import { createFleetWatcher } from "../../bus/watch/fleet-watcher.ts";
import type { Config } from "../../config/schema.ts";
import { readSecret } from "../../config/secrets.ts";
import { runDashboard } from "../../dashboard/run-dashboard.ts";
import type { DashboardServer } from "../../dashboard/server/dashboard-server.ts";
import type { GateSettings } from "../../dashboard/server/gate.ts";
import { probeConfiguredCache } from "./probe-configured-cache.ts";
import { useNetworkOf } from "../own-network.ts";
import { readAlerts } from "./read-alerts.ts";
import { programVersion } from "../program-version.ts";

export interface ComposeDashboardOptions {
  readonly config: Pick<Config, "dashboard" | "cache">;
  readonly connection: Connection;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

export interface StartedDashboard extends AsyncDisposable {
  /** Where people open it. */
  readonly url: string;
}

/** @throws HomelabError `config` for a secret that cannot be read, `unavailable` when it cannot listen */
export async function startDashboard(
  { config, connection, environment, clock, log }: ComposeDashboardOptions,
  signal: AbortSignal,
): Promise<StartedDashboard> {
  const { listen, publicUrl, logs, links } = config.dashboard;
  if (links.prometheus !== undefined) useNetworkOf(environment);
  const colon = listen.lastIndexOf(":");
  const host = listen.slice(0, colon);
  const server: DashboardServer = await runDashboard(
    {
      reader: createReader(connection),
      deploy: createDeployReader(connection),
      rollouts: createRolloutReader(connection),
      watcher: createFleetWatcher(connection),
      probeCache: async (ends) => probeConfiguredCache({ clock, environment }, config, ends),
      readAlerts: async (ends) => readAlerts(links.prometheus, ends),
      listen: { host, port: Number(listen.slice(colon + 1)) },
      gate: await gateOf(config.dashboard, environment, log),
      logs,
      links,
      version: programVersion(),
      clock,
      log,
    },
    signal,
  );
  return {
    url: publicUrl ?? `http://${host}:${server.port}/`,
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  };
}

async function gateOf(
  { allowedHosts, publicUrl, auth }: Config["dashboard"],
  environment: Environment,
  log: Log,
): Promise<GateSettings> {
  const names = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    ...allowedHosts,
    ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname]),
  ].map((name) => name.toLowerCase());
  if (auth.mode === "none") return { allowedHosts: names, auth: { mode: "none" } };
  if (auth.proxySecretFile === undefined) {
    throw new HomelabError("config", "dashboard.auth.proxySecretFile is missing", { code: "BAD_CONFIG" });
  }
  const secret = await readSecret(auth.proxySecretFile, {
    credentialsDirectory: environment["CREDENTIALS_DIRECTORY"],
    log,
  });
  return { allowedHosts: names, auth: { mode: "proxy", trustedProxies: auth.trustedProxies, secret } };
}
