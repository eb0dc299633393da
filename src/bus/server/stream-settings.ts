// Every stream and durable consumer that homelab-deploy needs, as data: what is created, and below which
// values an existing one is refused.
import type { ConsumerConfig, Republish, StreamConfig } from "@nats-io/jetstream";
import { consumers, live, streams } from "../../protocol/subjects.ts";
import { limits } from "../../protocol/wire.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** NATS counts durations in nanoseconds. */
const seconds = (count: number): number => count * 1_000_000_000;
const minutes = (count: number): number => seconds(count * 60);
const days = (count: number): number => minutes(count * 24 * 60);

export interface StreamSettings {
  readonly name: string;
  readonly create: Partial<StreamConfig> & { readonly name: string; readonly max_bytes: number };
  /** A smaller server gets smaller streams, but not below this: bytes. */
  readonly minBytes: number;
  /** From nats-server 2.10. */
  readonly compress?: boolean;
  /** Builders work without it, as before it existed: nobody has to set a server up before he upgrades. */
  readonly optional?: true;
}

const shared = {
  retention: "limits",
  storage: "file",
  discard: "old",
  num_replicas: 1,
  max_msgs: -1,
  // Whoever may publish could otherwise empty a subject with one message (header Nats-Rollup).
  allow_rollup_hdrs: false,
} as const;

const republished = (subjects: string): Republish => ({
  src: subjects,
  dest: live(subjects),
});

export const streamSettings: readonly StreamSettings[] = [
  {
    name: streams.requests,
    minBytes: 16 * MiB,
    create: {
      ...shared,
      name: streams.requests,
      description: "homelab-deploy: build requests, until a builder has accepted them",
      subjects: ["build.>", "build-control.*"],
      retention: "workqueue",
      // A full queue must be an error for who publishes, never a loss for who published before.
      discard: "new",
      max_msgs: 20_000,
      // The same request once more and once more fills no place of others.
      max_msgs_per_subject: 1000,
      discard_new_per_subject: true,
      max_msg_size: limits.request,
      max_age: days(7),
      max_bytes: 256 * MiB,
      duplicate_window: minutes(10),
    },
  },
  {
    name: streams.backlog,
    minBytes: 8 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.backlog,
      description: "homelab-deploy: batch requests, put aside until a builder has accepted them",
      subjects: ["build-backlog.>"],
      retention: "workqueue",
      // Builders leave in BUILD_REQUESTS what has no room here.
      discard: "new",
      max_msgs: 20_000,
      max_msgs_per_subject: 1000,
      discard_new_per_subject: true,
      max_msg_size: 2 * limits.request,
      max_age: days(7),
      max_bytes: 32 * MiB,
      duplicate_window: minutes(10),
    },
  },
  {
    name: streams.events,
    minBytes: 16 * MiB,
    create: {
      ...shared,
      name: streams.events,
      description: "homelab-deploy: the event log of every build",
      subjects: ["build-events.*"],
      max_msgs_per_subject: 65_536,
      max_msg_size: MiB,
      max_age: days(30),
      max_bytes: GiB,
      duplicate_window: minutes(10),
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      republish: republished("build-events.>"),
    },
  },
  {
    name: streams.logs,
    minBytes: 64 * MiB,
    compress: true,
    create: {
      ...shared,
      name: streams.logs,
      description: "homelab-deploy: the logs of derivations, in chunks",
      subjects: ["build-logs.*.*"],
      max_msgs_per_subject: 262_144,
      max_msg_size: 256 * KiB,
      max_age: days(14),
      max_bytes: 5 * GiB,
      duplicate_window: minutes(2),
      allow_direct: true,
      republish: republished("build-logs.>"),
    },
  },
  {
    name: streams.updates,
    minBytes: 4 * MiB,
    create: {
      ...shared,
      name: streams.updates,
      description: "homelab-deploy: what flake updates did",
      subjects: ["update-events.*"],
      max_msgs_per_subject: 2000,
      max_msg_size: 256 * KiB,
      max_age: days(365),
      max_bytes: 64 * MiB,
      duplicate_window: minutes(10),
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      republish: republished("update-events.>"),
    },
  },
  {
    // A key-value bucket as NATS' ADR-8 lays it out, so that `nats kv` can read it.
    name: streams.builders,
    minBytes: 4 * MiB,
    create: {
      ...shared,
      name: streams.builders,
      description: "homelab-deploy: the last status of every builder",
      subjects: ["$KV.builders.>"],
      discard: "new",
      max_msgs_per_subject: 1,
      max_msg_size: limits.status,
      max_bytes: 16 * MiB,
      max_age: 0,
      duplicate_window: minutes(2),
      allow_direct: true,
      deny_delete: true,
    },
  },
  {
    // A bucket as well. What it loses is made again from the event logs, so it forgets with them.
    name: streams.results,
    minBytes: 4 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.results,
      description: "homelab-deploy: how builds ended, and the newest result of every host",
      subjects: ["$KV.results.>"],
      max_msgs_per_subject: 1,
      max_msg_size: limits.result,
      max_bytes: 64 * MiB,
      max_age: days(30),
      duplicate_window: minutes(2),
      allow_direct: true,
      deny_delete: true,
    },
  },
];

export interface ConsumerSettings {
  readonly stream: string;
  /** As of a stream. */
  readonly optional?: true;
  readonly create: Partial<ConsumerConfig> & {
    readonly durable_name: string;
    readonly filter_subject: string;
  };
}

const worker = {
  ack_policy: "explicit",
  deliver_policy: "all",
  replay_policy: "instant",
  // Three missed heartbeats of a builder, and longer than a restart of the server takes.
  ack_wait: seconds(60),
  // A request that nobody finishes is judged by builders, who can say so; the server would only leave it lying.
  max_deliver: -1,
  max_ack_pending: 1000,
} as const;

export const consumerSettings: readonly ConsumerSettings[] = [
  {
    stream: consumers.requests.stream,
    create: { ...worker, durable_name: consumers.requests.name, filter_subject: "build.>" },
  },
  {
    stream: consumers.control.stream,
    create: { ...worker, durable_name: consumers.control.name, filter_subject: "build-control.*" },
  },
  {
    stream: consumers.backlog.stream,
    optional: true,
    create: { ...worker, durable_name: consumers.backlog.name, filter_subject: "build-backlog.>" },
  },
];

/**
 * @param scale of the size of all streams: 0.1 for a server with little storage. No stream gets smaller than its
 *   minimum.
 */
export function creationConfig(settings: StreamSettings, scale: number, canCompress: boolean) {
  return {
    ...settings.create,
    max_bytes: Math.max(settings.minBytes, Math.floor(settings.create.max_bytes * scale)),
    ...(settings.compress === true && canCompress ? { compression: "s2" as const } : {}),
  };
}

/** What all streams may take on disk together, at that scale. */
export const totalBytes = (scale: number): number =>
  streamSettings.reduce((sum, settings) => sum + creationConfig(settings, scale, false).max_bytes, 0);
