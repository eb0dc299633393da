// What the server allows our account, against what homelab-deploy needs. The server refuses one stream after the other
// with an error that does not say whose limit it is, so all limits are compared before anything is created.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { limits as messageLimits } from "../../protocol/wire.ts";
import type { Connection } from "../connect/connection.ts";
import { isPermissionViolation } from "../connect/nats-errors.ts";
import { callPatiently } from "../call.ts";
import { openManager } from "../jetstream-api.ts";
import { bytes } from "./compare-settings.ts";
import { consumerSettings, creationConfig, type StreamSettings } from "./stream-settings.ts";

/** Absent means unlimited, or not known. */
export interface AccountLimits {
  readonly maxFile?: number;
  readonly maxStreamBytes?: number;
  readonly maxStreams?: number;
  /** The maximum number of consumers of each stream. */
  readonly maxConsumers?: number;
  readonly maxAckPending?: number;
  readonly streams: number;
  /** Bytes that the account's streams may take together. Servers before 2.10 do not say it. */
  readonly reservedFile?: number;
}

export interface ServerLimits {
  /** Bytes; the smaller one of the server and the account. */
  readonly maxPayload?: number;
  /** Absent when our key may not ask. */
  readonly account?: AccountLimits;
}

/** What of the streams is still to be created. */
export interface StreamNeeds {
  readonly missing: readonly StreamSettings[];
  /** Bytes that those of our streams that exist may take. */
  readonly existingBytes: number;
  readonly scale: number;
  /** Each copy counts. */
  readonly replicas: number;
}

/** One limit that is too small. */
export interface LimitProblem {
  /** As in the configuration of nats-server. */
  readonly setting:
    | "max_payload"
    | "max_file"
    | "disk_max_stream_bytes"
    | "max_streams"
    | "max_consumers"
    | "max_ack_pending";
  readonly is: number;
  readonly required: number;
}

const Limits = v.object({
  max_storage: v.number(),
  max_streams: v.number(),
  max_consumers: v.number(),
  max_ack_pending: v.optional(v.number()),
  storage_max_stream_bytes: v.optional(v.number()),
});
const Usage = v.object({
  streams: v.optional(v.number(), 0),
  reserved_storage: v.optional(v.number()),
  limits: v.optional(Limits),
});
/** With JWTs an account may have limits for each number of replicas; our streams have one. */
const AccountInfo = v.object({ ...Usage.entries, tiers: v.optional(v.object({ R1: v.optional(Usage) })) });

/** @throws HomelabError `unavailable` `JETSTREAM_MISSING` */
export async function readServerLimits(
  connection: Connection,
  signal: AbortSignal = new AbortController().signal,
): Promise<ServerLimits> {
  const maxPayload = connection.nats.info?.max_payload;
  const manager = await openManager(connection);
  const account = await callPatiently(connection, "read the limits of our account", signal, async () => {
    try {
      return accountLimitsOf(await manager.getAccountInfo());
    } catch (error) {
      if (isPermissionViolation(error)) return undefined;
      throw error;
    }
  });
  return account === undefined ? { maxPayload } : { maxPayload, account };
}

export function accountLimitsOf(answer: unknown): AccountLimits {
  const info = v.parse(AccountInfo, answer);
  const { limits, streams, reserved_storage: reservedFile } = info.tiers?.R1 ?? info;
  // For the server no count below 1 is a limit, but 0 bytes of storage are.
  const count = (limit: number | undefined): number | undefined =>
    limit === undefined || limit < 1 ? undefined : limit;
  return {
    maxFile: limits === undefined || limits.max_storage < 0 ? undefined : limits.max_storage,
    maxStreamBytes: count(limits?.storage_max_stream_bytes),
    maxStreams: count(limits?.max_streams),
    maxConsumers: count(limits?.max_consumers),
    maxAckPending: count(limits?.max_ack_pending),
    streams,
    reservedFile,
  };
}

/** Bytes of the largest message that is ever published, with its headers. */
const requiredPayload = messageLimits.event + 16 * 1024;
const requiredAckPending = Math.max(...consumerSettings.map(({ create }) => create.max_ack_pending ?? 0));

export function decideLimits(
  { maxPayload, account }: ServerLimits,
  needs: StreamNeeds,
): readonly LimitProblem[] {
  const sizes = sizesOf(needs);
  const problem = (
    setting: LimitProblem["setting"],
    is: number | undefined,
    required: number,
  ): readonly LimitProblem[] => (is === undefined || is >= required ? [] : [{ setting, is, required }]);
  return [
    ...problem("max_payload", maxPayload, requiredPayload),
    ...(account === undefined
      ? []
      : [
          ...problem("max_file", account.maxFile, reservedBy(account, needs) + needs.replicas * sum(sizes)),
          ...problem("disk_max_stream_bytes", account.maxStreamBytes, Math.max(0, ...sizes)),
          ...problem("max_streams", account.maxStreams, account.streams + needs.missing.length),
          ...problem("max_consumers", account.maxConsumers, consumerSettings.length),
          ...problem("max_ack_pending", account.maxAckPending, requiredAckPending),
        ]),
  ];
}

const reservedBy = ({ reservedFile = 0 }: AccountLimits, { existingBytes }: StreamNeeds): number =>
  Math.max(reservedFile, existingBytes);

const sizesOf = ({ missing, scale }: StreamNeeds): readonly number[] =>
  missing.map((settings) => creationConfig(settings, { scale, canCompress: false }).max_bytes);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const scales = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01];

const sizeLimits: readonly LimitProblem["setting"][] = ["max_file", "disk_max_stream_bytes"];

/** The largest one with which smaller streams fit, where their size is a problem. */
export function fittingScale(limits: ServerLimits, needs: StreamNeeds): number | undefined {
  const isTooLarge = (scale: number): boolean =>
    decideLimits(limits, { ...needs, scale }).some(({ setting }) => sizeLimits.includes(setting));
  if (!isTooLarge(needs.scale)) return undefined;
  return scales.find((scale) => scale < needs.scale && !isTooLarge(scale));
}

/** How `nsc edit account` calls them, where accounts are JWTs. */
const nscFlags: Readonly<Record<LimitProblem["setting"], string>> = {
  max_payload: "--payload",
  max_file: "--js-disk-storage",
  disk_max_stream_bytes: "--js-max-disk-stream",
  max_streams: "--js-streams",
  max_consumers: "--js-consumer",
  max_ack_pending: "--js-max-ack-pending",
};

/** `max_file of our account is 953.7MiB, must be at least 6.3GiB` */
export function describeLimit({ setting, is, required }: LimitProblem): string {
  // The server tells a client only the smaller one.
  const whose = setting === "max_payload" ? "of the server or of our account" : "of our account";
  const shown = (value: number): string =>
    setting === "max_payload" || sizeLimits.includes(setting) ? bytes(value) : String(value);
  return `${setting} ${whose} is ${shown(is)}, must be at least ${shown(required)}`;
}

/** What an administrator of the server writes where, ready to be copied. */
export function adviseLimits(problems: readonly LimitProblem[], scale: number | undefined): string {
  const written = ({ setting, required }: LimitProblem): string => `${setting}: ${required}`;
  const jetstream = problems.filter(({ setting }) => setting !== "max_payload");
  const payload = problems.find(({ setting }) => setting === "max_payload");
  const block = jetstream.length === 0 ? [] : [`jetstream { ${jetstream.map(written).join(", ")} }`];
  const places = [
    ...(payload === undefined
      ? []
      : [`${written(payload)} for the server and, where it has its own, in the \`limits\` of our account`]),
    ...(block.length === 0 ? [] : [`accounts { OUR_ACCOUNT { ${block.join(" ")} } }`]),
  ];
  const flags = problems.map(({ setting, required }) => `${nscFlags[setting]} ${required}`).join(" ");
  return [
    `set in the server's configuration: ${places.join("; ")} (accounts that are JWTs: nsc edit account ${flags})`,
    ...(scale === undefined
      ? []
      : [`or, instead of more room, create smaller streams: homelab-deploy nats setup --scale ${scale}`]),
  ].join("; ");
}

/** @throws HomelabError `refused` `NATS_LIMIT` with every limit that is too small. */
export function requireLimits(limits: ServerLimits, needs: StreamNeeds): void {
  const problems = decideLimits(limits, needs);
  if (problems.length === 0) return;
  throw new HomelabError(
    "refused",
    `limits of the NATS server are too small: ${problems.map(describeLimit).join("; ")}`,
    { code: "NATS_LIMIT", hint: adviseLimits(problems, fittingScale(limits, needs)) },
  );
}
