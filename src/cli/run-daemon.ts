// A builder daemon on a connection to NATS, with its metrics, until it is told to stop.
import type { Log } from "../base/log.ts";
import { runBuilder } from "../build/builder.ts";
import type { Connection } from "../bus/connection.ts";
import { createBuilderBus } from "../bus/create-builder-bus.ts";
import { checkStreams, requireSound, setUpStreams } from "../bus/setup.ts";
import type { Config } from "../config/schema.ts";
import { composeBuilder } from "./compose-builder.ts";
import type { Context } from "./context.ts";
import { startMetrics } from "./start-metrics.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly connection: Connection;
  readonly log: Log;
  readonly onReady?: () => void;
}

export async function runDaemon(
  { clock, environment }: Context,
  { config, connection, log, onReady }: DaemonOptions,
  signal: AbortSignal,
): Promise<void> {
  await ensureStreams(connection, log);
  const composed = await composeBuilder({ config, environment, clock, log }, signal);
  const bus = createBuilderBus(connection);
  await using metrics = await startMetrics({ config, composed, bus, log, clock });
  await runBuilder({ ...composed, ...metrics, bus, ...(onReady === undefined ? {} : { onReady }) }, signal);
}

/** Where everybody may create streams nobody needs to run `nats setup`; elsewhere only the admin's key may. */
async function ensureStreams(connection: Connection, log: Log): Promise<void> {
  const findings = await checkStreams(connection);
  if (findings.some(({ state }) => state === "missing")) {
    try {
      await setUpStreams(connection);
      log.info({}, "created the streams");
      return;
    } catch (error) {
      log.warn({ error: String(error) }, "the streams are missing and cannot be created with this key");
    }
  }
  requireSound(findings);
}
