// Creates the streams and consumers, or checks those that exist. Weaker settings are never accepted in silence:
// a stream that forgets too early or answers before it stored breaks promises that the rest is built on.
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { bytes, compareConsumer, compareStream, type Difference } from "./compare-settings.ts";
import type { Connection } from "../connect/connection.ts";
import { callPatiently } from "../call.ts";
import { isServedByOthers } from "../connect/describe-missing.ts";
import { openManager } from "../jetstream-api.ts";
import { readServerLimits, requireLimits, type ServerLimits, type StreamNeeds } from "./server-limits.ts";
import { apiCodeOf, apiCodes, isPermissionViolation } from "../connect/nats-errors.ts";
import { isAtLeast } from "../../base/version.ts";
import {
  consumerSettings,
  creationConfig,
  streamSettings,
  totalBytes,
  type ConsumerSettings,
  type StreamSettings,
} from "./stream-settings.ts";

/** What was found, or done, about one stream or consumer. */
export interface Finding {
  /** `BUILD_EVENTS`, or `BUILD_REQUESTS.builder` for a consumer. */
  readonly object: string;
  readonly state: "sound" | "created" | "repaired" | "missing" | "weaker";
  /** Builders work without it. */
  readonly optional?: true;
  /** For `weaker` and `repaired`: what was. */
  readonly differences: readonly Difference[];
}

export interface SetupOptions {
  /** Bring weaker ones up to what is required; otherwise they are only reported. */
  readonly repair?: boolean;
  /** The scale of the sizes of new streams: 0.1 for a server with little storage. */
  readonly scale?: number;
  /** How many servers of a cluster must have each message. Default 1. */
  readonly replicas?: number;
  /** Ends the wait for a cluster without a leader. */
  readonly signal?: AbortSignal;
}

/**
 * Creates what is missing. Running it again changes nothing.
 *
 * @throws HomelabError `refused` `NATS_REPLICAS` when there are fewer servers than copies; `refused` `NATS_LIMIT` before
 *   anything is created, when a limit of our account is too small;
 *   `unavailable` `NATS_STORAGE` when that of the server is, `JETSTREAM_MISSING`; `refused` `NATS_PERMISSION`: only the
 *   admin's key may do this.
 */
export async function setUpStreams(
  connection: Connection,
  { repair = false, scale = 1, replicas = 1, signal = never }: SetupOptions = {},
): Promise<readonly Finding[]> {
  requireCluster(connection, replicas);
  const manager = await openManager(connection, timeoutMs);
  const canCompress = isAtLeast(connection.nats.info?.version, "2.10.0");
  const findings: Finding[] = [];
  // What exists already is left as it is, so that this can be tried again.
  const change = async <T>(doing: string, work: () => Promise<T>): Promise<T> =>
    callPatiently(connection, doing, signal, async () => {
      try {
        return await work();
      } catch (error) {
        throw explainLimit(error, doing, scale) ?? error;
      }
    });
  const streams = await inspectStreams(connection, replicas, signal);
  const limits = await readServerLimits(connection, signal);
  requireLimits(limits, needsOf(streams, { scale, replicas }));
  for (const found of streams) {
    const { settings } = found;
    const config = creationConfig(settings, { scale, canCompress, replicas });
    if (found.finding.state === "missing") {
      await change(`create the stream ${settings.name}`, async () =>
        manager.streams.add({ ...config, subjects: [...(config.subjects ?? [])] }),
      );
      findings.push({ ...found.finding, state: "created" });
    } else if (found.info !== undefined && repair && isRepairable(found.finding)) {
      const repaired = { ...found.info.config, ...repairOf(found.finding, config) };
      await change(`update the stream ${settings.name}`, async () =>
        manager.streams.update(settings.name, repaired),
      );
      findings.push({ ...found.finding, state: "repaired" });
    } else findings.push(found.finding);
  }
  for (const settings of consumerSettings) {
    const finding = await inspectConsumer(connection, settings, signal);
    const { stream, create } = settings;
    if (finding.state === "missing") {
      await change(`create the consumer ${create.durable_name}`, async () =>
        manager.consumers.add(stream, { ...create }),
      );
      findings.push({ ...finding, state: "created" });
    } else if (repair && isRepairable(finding)) {
      await change(`update the consumer ${create.durable_name}`, async () =>
        manager.consumers.update(stream, create.durable_name, { ...create }),
      );
      findings.push({ ...finding, state: "repaired" });
    } else findings.push(finding);
  }
  return findings;
}

/**
 * Only reads. Every role but the listener may do it.
 *
 * @throws HomelabError `refused` `NATS_REPLICAS`
 */
export async function checkStreams(
  connection: Connection,
  replicas = 1,
  signal: AbortSignal = never,
): Promise<readonly Finding[]> {
  requireCluster(connection, replicas);
  const findings = (await inspectStreams(connection, replicas, signal)).map(({ finding }) => finding);
  for (const settings of consumerSettings) {
    findings.push(await inspectConsumer(connection, settings, signal));
  }
  return findings;
}

/** What the server allows our account, and what the streams need of it. Only reads. */
export async function checkLimits(
  connection: Connection,
  { scale = 1, replicas = 1, signal = never }: Omit<SetupOptions, "repair"> = {},
): Promise<{ readonly limits: ServerLimits; readonly needs: StreamNeeds }> {
  const streams = await inspectStreams(connection, 1, signal);
  return { limits: await readServerLimits(connection, signal), needs: needsOf(streams, { scale, replicas }) };
}

/** What the servers say about those of our streams that exist. */
export async function readStreams(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly StreamInfo[]> {
  return (await inspectStreams(connection, 1, signal)).flatMap(({ info }) => info ?? []);
}

/**
 * @param replicas that were asked for by name: the advice repeats them
 * @throws HomelabError `unavailable` `JETSTREAM_MISSING` when something is missing, `refused` `STREAM_WEAKER`
 *   with each setting that is weaker than required.
 */
export function requireSound(findings: readonly Finding[], replicas?: number): void {
  const copies = replicas === undefined ? "" : ` --replicas ${replicas}`;
  const missing = findings.filter(({ state }) => state === "missing").map(({ object }) => object);
  if (missing.length > 0) {
    throw new HomelabError("unavailable", `missing on the NATS server: ${missing.join(", ")}`, {
      code: "JETSTREAM_MISSING",
      hint: `run once with the admin's key: homelab-deploy nats setup${copies}`,
    });
  }
  const weaker = findings.filter(({ state }) => state === "weaker").flatMap(({ differences }) => differences);
  if (weaker.length > 0) {
    throw new HomelabError("refused", weaker.map(describeDifference).join("; "), {
      code: "STREAM_WEAKER",
      hint: weaker.some(({ fixed }) => fixed)
        ? `some of these cannot be changed: back up and remove the stream, then run: homelab-deploy nats setup${copies}`
        : `run with the admin's key: homelab-deploy nats setup --repair${copies}`,
    });
  }
}

/** What a builder can do without is missing: the server was set up by an earlier release. */
export const isDispensable = ({ state, optional }: Finding): boolean =>
  state === "missing" && optional === true;

/** `BUILD_EVENTS.max_age: is 1h, must be at least 720h` */
export const describeDifference = ({ setting, is, required }: Difference): string =>
  `${setting}: is ${is}, must be ${required}`;

/**
 * Servers before 2.11 let the number of copies be raised where there is only one server, and keep one. Behind a domain we
 * do not see whether there are several.
 */
function requireCluster(connection: Connection, replicas: number): void {
  if (replicas === 1 || isServedByOthers(connection)) return;
  const name = connection.nats.info?.server_name ?? "that we are connected to";
  throw new HomelabError("refused", `the NATS server ${name} is alone and cannot keep ${replicas} copies`, {
    code: "NATS_REPLICAS",
    hint: "leave out --replicas, or see in the server's log why it is not a node of a cluster",
  });
}

const never = new AbortController().signal;
/** Creating a stream takes longer than reading from one. */
const timeoutMs = 5000;

const isRepairable = ({ state, differences }: Finding): boolean =>
  state === "weaker" && differences.every(({ fixed }) => !fixed);

/** Only what is too weak is changed: what somebody made larger stays so. */
function repairOf({ object, differences }: Finding, config: object): object {
  const keys = new Set(differences.map(({ setting }) => setting.slice(object.length + 1)));
  return Object.fromEntries(Object.entries(config).filter(([key]) => keys.has(key)));
}

interface FoundStream {
  readonly settings: StreamSettings;
  readonly finding: Finding;
  readonly info?: StreamInfo;
}

async function inspectStreams(
  connection: Connection,
  replicas: number,
  signal: AbortSignal,
): Promise<readonly FoundStream[]> {
  const found: FoundStream[] = [];
  for (const settings of streamSettings)
    found.push(await inspectStream(connection, settings, replicas, signal));
  return found;
}

function needsOf(
  streams: readonly FoundStream[],
  wanted: Pick<StreamNeeds, "scale" | "replicas">,
): StreamNeeds {
  return {
    ...wanted,
    missing: streams.filter(({ info }) => info === undefined).map(({ settings }) => settings),
    existingBytes: streams.reduce(
      (sum, { info }) => sum + Math.max(0, info?.config.max_bytes ?? 0) * (info?.config.num_replicas ?? 1),
      0,
    ),
  };
}

async function inspectStream(
  connection: Connection,
  settings: StreamSettings,
  replicas: number,
  signal: AbortSignal,
): Promise<FoundStream> {
  const { name: object, optional } = settings;
  const info = await infoOf(connection, settings, object, signal, (manager) => manager.streams.info(object));
  return info === undefined
    ? { settings, finding: { object, state: "missing", optional, differences: [] } }
    : { settings, info, finding: judged(object, compareStream(settings, info.config, replicas)) };
}

async function inspectConsumer(
  connection: Connection,
  settings: ConsumerSettings,
  signal: AbortSignal,
): Promise<Finding> {
  const { stream, optional, create } = settings;
  const object = `${stream}.${create.durable_name}`;
  const info = await infoOf(connection, settings, object, signal, (manager) =>
    manager.consumers.info(stream, create.durable_name),
  );
  return info === undefined
    ? { object, state: "missing", optional, differences: [] }
    : judged(object, compareConsumer(settings, info.config));
}

/** Undefined for what does not exist. One attempt, but a cluster may have to elect a leader first. */
async function infoOf<Info>(
  connection: Connection,
  settings: { readonly optional?: true },
  object: string,
  signal: AbortSignal,
  ask: (manager: JetStreamManager) => Promise<Info>,
): Promise<Info | undefined> {
  const manager = await openManager(connection, timeoutMs);
  return callPatiently(connection, `read ${object}`, signal, async () => {
    try {
      return await ask(manager);
    } catch (error) {
      if (isAbsent(error, settings)) return undefined;
      throw error;
    }
  });
}

/** Permissions that an earlier release printed do not name what it did not have. */
function isAbsent(error: unknown, { optional }: { readonly optional?: true }): boolean {
  const code = apiCodeOf(error);
  if (code === apiCodes.streamNotFound || code === apiCodes.consumerNotFound) return true;
  return optional === true && isPermissionViolation(error);
}

const judged = (object: string, differences: readonly Difference[]): Finding => ({
  object,
  state: differences.length === 0 ? "sound" : "weaker",
  differences,
});

/** What only who creates something has to know; undefined for everything else. */
function explainLimit(error: unknown, doing: string, scale: number): HomelabError | undefined {
  const code = apiCodeOf(error);
  // The account's limits were large enough.
  if (code === apiCodes.storageExceeded || code === apiCodes.insufficientResources) {
    return new HomelabError("unavailable", `cannot ${doing}: the server's storage limit is too small`, {
      code: "NATS_STORAGE",
      hint: `the streams together may take ${bytes(totalBytes(scale))}: raise jetstream.max_file_store, or use a smaller --scale`,
      cause: error,
    });
  }
  if (code === apiCodes.noSuitablePeers) {
    return new HomelabError("refused", `cannot ${doing}: the cluster has fewer servers than copies`, {
      code: "NATS_REPLICAS",
      hint: "start the other servers, each with a name of its own, JetStream and room on its disk; or use a smaller --replicas",
      cause: error,
    });
  }
  const setting = serverLimitOf(error);
  if (setting === undefined) return undefined;
  return new HomelabError("refused", `cannot ${doing}: a limit of the NATS server is too small`, {
    code: "NATS_LIMIT",
    hint: `raise it in the server's configuration, or leave it out: jetstream { limits { ${setting} } }`,
    cause: error,
  });
}

/** A setting of the server for all accounts, which no client can read. */
function serverLimitOf(error: unknown): string | undefined {
  const code = apiCodeOf(error);
  if (code === apiCodes.ackPendingTooLarge) return "max_ack_pending: 1000";
  const isWindow = code === apiCodes.badStreamConfig && /duplicates? window/.test(messageOf(error));
  return isWindow ? 'duplicate_window: "10m"' : undefined;
}
