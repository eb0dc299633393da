// A builder daemon on a connection to NATS, with its metrics, until it is told to stop.
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { runBuilder } from "../builder/builder.ts";
import type { BuilderBus } from "../bus/bus.ts";
import type { Connection } from "../bus/connect/connection.ts";
import { createBuilderBus } from "../bus/create-builder-bus.ts";
import { createDeployReader } from "../bus/deploy/create-deploy-reader.ts";
import { inspectAccounts, sharedAccountError } from "../bus/server/inspect-accounts.ts";
import { adviseLimits, decideLimits, describeLimit } from "../bus/server/server-limits.ts";
import { maySubscribe } from "../bus/server/probe-permissions.ts";
import { checkStreams, isDispensable, requireSound, setUpStreams } from "../bus/server/setup.ts";
import type { Config } from "../config/schema.ts";
import { branchNews } from "../notify/branch-news-kind.ts";
import type { BuilderName } from "../protocol/names.ts";
import { builderStatusSubject } from "../protocol/subjects.ts";
import { composeBuilder } from "./compose-builder.ts";
import { composeNotices } from "./compose-notices.ts";
import { readDeployedSystems } from "./deploy/deployed-systems.ts";
import { startMetrics } from "./start-metrics.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly connection: Connection;
  readonly log: Log;
  /** How many bugs the log has seen. */
  readonly bugs: () => number;
  readonly onReady?: () => void;
}

export async function runDaemon(
  { clock, environment }: { readonly clock: Clock; readonly environment: Environment },
  { config, connection, log, bugs, onReady }: DaemonOptions,
  signal: AbortSignal,
): Promise<void> {
  await ensureStreams(connection, log, signal);
  warnOfPayload(connection, log);
  await warnOfSharedAccount(connection, log);
  const bus = createBuilderBus(connection);
  const deployments = createDeployReader(connection);
  const deployedSystems = readDeployedSystems({ deployments, results: bus.results });
  const composed = await composeBuilder({ config, environment, clock, log, deployedSystems }, signal);
  await requireOwnName(connection, composed.name, config.nats.inboxPrefix);
  await requireFreeName(bus, composed.name, signal);
  await using metrics = await startMetrics({ config, composed, environment, bus, log, bugs, clock });
  const { notify, builder } = config;
  const told = { notify, stateDirectory: builder.stateDirectory, kind: branchNews };
  const news = await composeNotices({ ...told, environment, clock, log });
  await runBuilder({ ...composed, ...metrics, bus, news, onReady }, signal);
}

/** A key is one builder's: with that of another all that is said about this one would be refused, each time again. */
async function requireOwnName(
  { nats }: Connection,
  name: BuilderName,
  inboxPrefix: string | undefined,
): Promise<void> {
  if (await maySubscribe(nats, builderStatusSubject(name))) return;
  const owner = /^_INBOX_builder-(?<owner>.+)$/.exec(inboxPrefix ?? "")?.groups?.["owner"];
  const of = owner === undefined || owner === name ? "none of that builder" : `that of the builder ${owner}`;
  throw new HomelabError("refused", `this builder is called ${name}, and its NATS key is ${of}`, {
    code: "NAME_NOT_OF_KEY",
    hint: `set builder.name to the name of the key${owner === undefined ? "" : ` (${owner})`}, or use the key that \`nats config --builder ${name}=KEY\` names`,
  });
}

/** Two builders of one name would take each other's builds, each sure that it held them before. */
async function requireFreeName(bus: BuilderBus, name: BuilderName, signal: AbortSignal): Promise<void> {
  const other = await bus.askBuilder(name, signal);
  if (other === undefined) return;
  throw new HomelabError(
    "refused",
    `a builder with the name ${name} runs already, since ${other.startedAt}`,
    {
      code: "NAME_TAKEN",
      hint: "stop that one, or give this one another name: `builder.name` in its configuration",
    },
  );
}

/** A long event would be refused when it is too late. The other limits are those of `nats setup` and doctor. */
function warnOfPayload({ nats }: Connection, log: Log): void {
  const limits = { maxPayload: nats.info?.max_payload };
  const problems = decideLimits(limits, { missing: [], existingBytes: 0, scale: 1, replicas: 1 });
  if (problems.length === 0) return;
  const hint = adviseLimits(problems, undefined);
  log.warn({ code: "NATS_LIMIT", limits: problems.map(describeLimit), hint }, "a limit of NATS is too small");
}

async function warnOfSharedAccount(connection: Connection, log: Log): Promise<void> {
  if ((await inspectAccounts(connection)) !== "shared") return;
  const { code, message, hint } = sharedAccountError();
  log.warn({ code, hint }, message);
}

/** Where everybody may create streams nobody needs to run `nats setup`; elsewhere only the admin's key may. */
async function ensureStreams(connection: Connection, log: Log, signal: AbortSignal): Promise<void> {
  let findings = await checkStreams(connection, 1, signal);
  if (findings.some(({ state }) => state === "missing")) {
    try {
      findings = await setUpStreams(connection, { signal });
      log.info({}, "created the streams");
    } catch (error) {
      if (!(error instanceof HomelabError)) throw error;
      const missing = findings.filter(({ state }) => state === "missing");
      if (error.code !== "NATS_PERMISSION" && !missing.every(isDispensable)) throw error;
      log.warn({ err: error }, "the streams are missing and cannot be created with this key");
    }
  }
  const absent = findings.filter(isDispensable);
  if (absent.length > 0) {
    const hint = "run once with the admin's key: homelab-deploy nats setup";
    log.warn({ missing: absent.map(({ object }) => object), hint }, "the streams are of an earlier release");
  }
  requireSound(findings.filter((finding) => !isDispensable(finding)));
}
