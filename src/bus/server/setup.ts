// Creates the streams and consumers, or checks those that exist. Weaker settings are never accepted in silence:
// a stream that forgets too early or answers before it stored breaks promises that the rest is built on.
import { jetstreamManager, type JetStreamManager, type StreamInfo } from "@nats-io/jetstream";
import { HomelabError } from "../../base/errors.ts";
import { bytes, compareConsumer, compareStream, type Difference } from "./compare-settings.ts";
import type { Connection } from "../connect/connection.ts";
import { apiCodeOf, apiCodes, explainNatsError } from "../connect/nats-errors.ts";
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
  /** For `weaker` and `repaired`: what was. */
  readonly differences: readonly Difference[];
}

export interface SetupOptions {
  /** Bring weaker ones up to what is required; otherwise they are only reported. */
  readonly repair?: boolean;
  /** Of the size of new streams: 0.1 for a server with little storage. */
  readonly scale?: number;
}

/**
 * Creates what is missing. Running it again changes nothing.
 *
 * @throws HomelabError `unavailable` `NATS_STORAGE` when the server's limit is too small, `JETSTREAM_MISSING`,
 *   `refused` `NATS_PERMISSION`: only the admin's key may do this.
 */
export async function setUpStreams(
  connection: Connection,
  { repair = false, scale = 1 }: SetupOptions = {},
): Promise<readonly Finding[]> {
  const manager = await managerOf(connection);
  const canCompress = isAtLeast(connection.nats.info?.version, "2.10.0");
  const findings: Finding[] = [];
  for (const settings of streamSettings) {
    const found = await inspectStream(manager, settings);
    const config = creationConfig(settings, scale, canCompress);
    if (found.finding.state === "missing") {
      await explained(
        `create the stream ${settings.name}`,
        scale,
        manager.streams.add({ ...config, subjects: [...(config.subjects ?? [])] }),
      );
      findings.push({ ...found.finding, state: "created" });
    } else if (found.info !== undefined && repair && isRepairable(found.finding)) {
      const changes = repairOf(found.finding, config);
      await explained(
        `update the stream ${settings.name}`,
        scale,
        manager.streams.update(settings.name, { ...found.info.config, ...changes }),
      );
      findings.push({ ...found.finding, state: "repaired" });
    } else findings.push(found.finding);
  }
  for (const settings of consumerSettings) {
    const finding = await inspectConsumer(manager, settings);
    const { stream, create } = settings;
    if (finding.state === "missing") {
      await explained(
        `create the consumer ${create.durable_name}`,
        scale,
        manager.consumers.add(stream, { ...create }),
      );
      findings.push({ ...finding, state: "created" });
    } else if (repair && isRepairable(finding)) {
      await explained(
        `update the consumer ${create.durable_name}`,
        scale,
        manager.consumers.update(stream, create.durable_name, { ...create }),
      );
      findings.push({ ...finding, state: "repaired" });
    } else findings.push(finding);
  }
  return findings;
}

/** Only reads. Every role but the listener may do it. */
export async function checkStreams(connection: Connection): Promise<readonly Finding[]> {
  const manager = await managerOf(connection);
  const findings: Finding[] = [];
  for (const settings of streamSettings) findings.push((await inspectStream(manager, settings)).finding);
  for (const settings of consumerSettings) findings.push(await inspectConsumer(manager, settings));
  return findings;
}

/**
 * @throws HomelabError `unavailable` `JETSTREAM_MISSING` when something is missing, `refused` `STREAM_WEAKER`
 *   with each setting that is weaker than required.
 */
export function requireSound(findings: readonly Finding[]): void {
  const missing = findings.filter(({ state }) => state === "missing").map(({ object }) => object);
  if (missing.length > 0) {
    throw new HomelabError("unavailable", `missing on the NATS server: ${missing.join(", ")}`, {
      code: "JETSTREAM_MISSING",
      hint: "run once with the admin's key: homelab-deploy nats setup",
    });
  }
  const weaker = findings.filter(({ state }) => state === "weaker").flatMap(({ differences }) => differences);
  if (weaker.length > 0) {
    throw new HomelabError("refused", weaker.map(describeDifference).join("; "), {
      code: "STREAM_WEAKER",
      hint: weaker.some(({ fixed }) => fixed)
        ? "some of these cannot be changed: back up and remove the stream, then run: homelab-deploy nats setup"
        : "run with the admin's key: homelab-deploy nats setup --repair",
    });
  }
}

/** `BUILD_EVENTS.max_age: is 1h, must be at least 720h` */
export const describeDifference = ({ setting, is, required }: Difference): string =>
  `${setting}: is ${is}, must be ${required}`;

async function managerOf({ nats }: Connection): Promise<JetStreamManager> {
  // Without the check: it asks for $JS.API.INFO, which most roles may not.
  return jetstreamManager(nats, { checkAPI: false, timeout: 5000 });
}

const isRepairable = ({ state, differences }: Finding): boolean =>
  state === "weaker" && differences.every(({ fixed }) => !fixed);

/** Only what is too weak is changed: what somebody made larger stays so. */
function repairOf({ object, differences }: Finding, config: object): object {
  const keys = new Set(differences.map(({ setting }) => setting.slice(object.length + 1)));
  return Object.fromEntries(Object.entries(config).filter(([key]) => keys.has(key)));
}

async function inspectStream(
  manager: JetStreamManager,
  settings: StreamSettings,
): Promise<{ finding: Finding; info?: StreamInfo }> {
  const object = settings.name;
  try {
    const info = await manager.streams.info(object);
    return { info, finding: judged(object, compareStream(settings, info.config)) };
  } catch (error) {
    if (apiCodeOf(error) !== apiCodes.streamNotFound) throw explainNatsError(error, `read ${object}`);
    return { finding: { object, state: "missing", differences: [] } };
  }
}

async function inspectConsumer(manager: JetStreamManager, settings: ConsumerSettings): Promise<Finding> {
  const object = `${settings.stream}.${settings.create.durable_name}`;
  try {
    const info = await manager.consumers.info(settings.stream, settings.create.durable_name);
    return judged(object, compareConsumer(settings, info.config));
  } catch (error) {
    const code = apiCodeOf(error);
    if (code !== apiCodes.consumerNotFound && code !== apiCodes.streamNotFound) {
      throw explainNatsError(error, `read ${object}`);
    }
    return { object, state: "missing", differences: [] };
  }
}

const judged = (object: string, differences: readonly Difference[]): Finding => ({
  object,
  state: differences.length === 0 ? "sound" : "weaker",
  differences,
});

async function explained<T>(doing: string, scale: number, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = apiCodeOf(error);
    if (code === apiCodes.storageExceeded || code === apiCodes.insufficientResources) {
      throw new HomelabError("unavailable", `cannot ${doing}: the server's storage limit is too small`, {
        code: "NATS_STORAGE",
        hint: `the streams together may take ${bytes(totalBytes(scale))}: raise jetstream.max_file_store, or use a smaller --scale`,
        cause: error,
      });
    }
    throw explainNatsError(error, doing);
  }
}
