// Whether an existing stream or consumer is at least as good as the one we would create. Pure.
import type { ConsumerConfig, StreamConfig } from "@nats-io/jetstream";
import type { ConsumerSettings, StreamSettings } from "./stream-settings.ts";

/** One setting that is weaker than it has to be. */
export interface Difference {
  /** `BUILD_EVENTS.max_age` */
  readonly setting: string;
  readonly is: string;
  /** `at least 720h` */
  readonly required: string;
  /** The server cannot change it: the stream would have to be recreated. */
  readonly fixed: boolean;
}

type Unit = "count" | "bytes" | "duration";

interface Rule {
  readonly key: string;
  readonly fixed?: boolean;
  /** Numbers where more is better; 0 and -1 mean unlimited. Everything else must be equal. */
  readonly atLeast?: Unit;
  readonly unlimited?: readonly number[];
  /** With `atLeast`: unlimited is not good enough, because somebody could then take all the room. */
  readonly bounded?: true;
}

const unlimited = [0, -1];

const streamRules: readonly Rule[] = [
  { key: "subjects" },
  { key: "retention", fixed: true },
  { key: "storage", fixed: true },
  { key: "discard" },
  { key: "max_msgs", atLeast: "count", unlimited },
  { key: "max_msgs_per_subject", atLeast: "count", bounded: true },
  { key: "discard_new_per_subject" },
  { key: "max_msg_size", atLeast: "bytes", unlimited },
  { key: "max_bytes", atLeast: "bytes", unlimited },
  { key: "max_age", atLeast: "duration", unlimited },
  { key: "duplicate_window", atLeast: "duration" },
  { key: "num_replicas", atLeast: "count" },
  { key: "allow_direct" },
  { key: "allow_rollup_hdrs" },
  { key: "deny_delete" },
  { key: "deny_purge" },
  { key: "republish" },
];

const consumerRules: readonly Rule[] = [
  { key: "filter_subject" },
  { key: "ack_policy", fixed: true },
  { key: "deliver_policy", fixed: true },
  { key: "ack_wait", atLeast: "duration" },
  { key: "max_deliver", atLeast: "count", unlimited },
  { key: "max_ack_pending", atLeast: "count", unlimited: [-1] },
];

/** @param replicas that it must have at least */
export const compareStream = (
  settings: StreamSettings,
  existing: Partial<StreamConfig>,
  replicas = 1,
): readonly Difference[] => [
  ...compare(
    settings.name,
    streamRules,
    { ...settings.create, max_bytes: settings.minBytes, num_replicas: replicas },
    existing,
  ),
  // What we never set must not be set: it would lose or change messages behind our back.
  ...(
    [
      "no_ack",
      "sealed",
      "mirror",
      "sources",
      "subject_transform",
      // Headers of a publisher could take messages away, or publish others, later.
      "allow_msg_ttl",
      "allow_msg_schedules",
      "allow_msg_counter",
    ] as const
  )
    .filter((key) => isSet(existing[key]))
    .map((key) => ({
      setting: `${settings.name}.${key}`,
      is: shown(existing[key]),
      required: "not set",
      fixed: true,
    })),
];

export const compareConsumer = (
  { stream, create }: ConsumerSettings,
  existing: Partial<ConsumerConfig>,
): readonly Difference[] => [
  ...compare(`${stream}.${create.durable_name}`, consumerRules, create, existing),
  ...(["deliver_subject", "filter_subjects", "backoff"] as const)
    .filter((key) => isSet(existing[key]))
    .map((key) => ({
      setting: `${stream}.${create.durable_name}.${key}`,
      is: shown(existing[key]),
      required: "not set",
      fixed: true,
    })),
];

const isSet = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  value !== false &&
  value !== "" &&
  !(Array.isArray(value) && value.length === 0);

function compare(
  name: string,
  rules: readonly Rule[],
  wanted: object,
  existing: object,
): readonly Difference[] {
  return rules.flatMap((rule) => {
    const want = valueOf(wanted, rule.key);
    if (want === undefined) return [];
    const is = valueOf(existing, rule.key);
    if (isGoodEnough(rule, is, want)) return [];
    const text = shown(want, rule.atLeast);
    return {
      setting: `${name}.${rule.key}`,
      is: shown(is, rule.atLeast),
      required: requirement(rule, want, text),
      fixed: rule.fixed === true,
    };
  });
}

function requirement(rule: Rule, want: unknown, text: string): string {
  if (rule.atLeast === undefined) return text;
  if (isUnlimited(rule, want)) return "unlimited";
  return rule.bounded === true ? `bounded, by at least ${text}` : `at least ${text}`;
}

const valueOf = (config: object, key: string): unknown =>
  Object.entries(config).find(([name]) => name === key)?.[1];

const isUnlimited = (rule: Rule, value: unknown): boolean =>
  typeof value === "number" && rule.unlimited?.includes(value) === true;

function isGoodEnough(rule: Rule, is: unknown, want: unknown): boolean {
  if (rule.atLeast === undefined) return same(is, want);
  if (isUnlimited(rule, is)) return true;
  if (isUnlimited(rule, want)) return false;
  return typeof is === "number" && typeof want === "number" && is >= want;
}

/** Servers add fields of their own to nested objects, such as `headers_only: false`, and leave false ones out. */
function same(is: unknown, want: unknown): boolean {
  if (Array.isArray(want)) {
    return Array.isArray(is) && is.length === want.length && want.every((item) => is.includes(item));
  }
  if (typeof want === "object" && want !== null) {
    if (typeof is !== "object" || is === null) return false;
    const keys = new Set([...Object.keys(want), ...Object.keys(is)]);
    return [...keys].every((key) => same(valueOf(is, key), valueOf(want, key)));
  }
  return is === want || (!isSet(is) && !isSet(want));
}

/** As an administrator would write it: `720h`, `64KiB`, `["build.>"]`. */
function shown(value: unknown, unit?: Unit): string {
  if (!isSet(value)) return unit === "duration" || value === undefined ? "not set" : JSON.stringify(value);
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  if (value === -1) return "unlimited";
  if (unit === "duration") return duration(value / 1_000_000_000);
  if (unit === "bytes") return bytes(value);
  return String(value);
}

function duration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

export function bytes(count: number): string {
  for (const [unit, size] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (count >= size) return `${Number((count / size).toFixed(1))}${unit}`;
  }
  return `${count}B`;
}
