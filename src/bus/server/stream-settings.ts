// Every stream and durable consumer that homelab-deploy needs, as data: what is created, and below which
// values an existing one is refused.
import type { ConsumerConfig, Republish, StreamConfig } from "@nats-io/jetstream";
import { maxDeployEventBytes } from "../../protocol/deploy/deploy-events.ts";
import { maxHostStateBytes } from "../../protocol/deploy/host-state.ts";
import { maxEnvelopeBytes } from "../../protocol/deploy/order.ts";
import { maxRolloutEventBytes } from "../../protocol/rollout/rollout-events.ts";
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

/** A stream counts the headers as well. */
const headerRoom = 4 * KiB;

/**
 * Streams for deployments. A malicious host can fill its own share, but every other host must keep its room: the
 * smallest size of each of its streams is larger than what all messages of one subject can take together.
 */
const deployStreams: readonly StreamSettings[] = [
  {
    name: streams.orders,
    minBytes: 8 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.orders,
      description: "homelab-deploy: signed orders; the last one of a host counts",
      subjects: ["deploy-orders.*.*"],
      max_msgs_per_subject: 8,
      max_msg_size: maxEnvelopeBytes + headerRoom,
      max_age: days(90),
      max_bytes: 64 * MiB,
      duplicate_window: minutes(10),
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      republish: republished("deploy-orders.>"),
    },
  },
  {
    name: streams.deployEvents,
    minBytes: 48 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.deployEvents,
      description: "homelab-deploy: what hosts did with their orders",
      subjects: ["deploy-events.*.*"],
      max_msgs_per_subject: 500,
      max_msg_size: maxDeployEventBytes + headerRoom,
      max_age: days(365),
      max_bytes: 256 * MiB,
      duplicate_window: minutes(10),
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      republish: republished("deploy-events.>"),
    },
  },
  {
    name: streams.deployOutput,
    minBytes: 48 * MiB,
    compress: true,
    optional: true,
    create: {
      ...shared,
      name: streams.deployOutput,
      description: "homelab-deploy: what activations printed, in chunks",
      subjects: ["deploy-output.*.*"],
      max_msgs_per_subject: 512,
      max_msg_size: limits.logChunk + headerRoom,
      max_age: days(30),
      max_bytes: 512 * MiB,
      duplicate_window: minutes(2),
      allow_direct: true,
      republish: republished("deploy-output.>"),
    },
  },
  {
    // Hosts cannot publish here, so no single log needs to fit into the smallest size.
    name: streams.rollouts,
    minBytes: 8 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.rollouts,
      description: "homelab-deploy: the log of every rollout",
      subjects: ["rollout-events.*"],
      max_msgs_per_subject: 20_000,
      max_msg_size: maxRolloutEventBytes + headerRoom,
      max_age: days(365),
      max_bytes: 128 * MiB,
      duplicate_window: minutes(10),
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      republish: republished("rollout-events.>"),
    },
  },
  {
    name: streams.hosts,
    minBytes: 4 * MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.hosts,
      description: "homelab-deploy: the state that every host reports",
      subjects: ["$KV.hosts.>"],
      discard: "new",
      max_msgs_per_subject: 1,
      max_msg_size: maxHostStateBytes + headerRoom,
      max_age: 0,
      max_bytes: 64 * MiB,
      duplicate_window: minutes(2),
      allow_direct: true,
      deny_delete: true,
    },
  },
  {
    name: streams.holds,
    minBytes: MiB,
    optional: true,
    create: {
      ...shared,
      name: streams.holds,
      description: "homelab-deploy: hosts that operators want left alone",
      subjects: ["$KV.holds.>"],
      discard: "new",
      max_msgs_per_subject: 1,
      max_msg_size: 8 * KiB,
      max_age: 0,
      max_bytes: 8 * MiB,
      duplicate_window: minutes(2),
      allow_direct: true,
      deny_delete: true,
    },
  },
];

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
      // The same request, sent again and again, takes no room from others.
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
    // A bucket as well. Lost rows are restored from the event logs, so it forgets with them.
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
  ...deployStreams,
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

export interface CreationOptions {
  /** A share of the size of all streams: 0.1 for a server with little storage. No stream gets smaller than its minimum. */
  readonly scale: number;
  readonly canCompress: boolean;
  /** How many servers of a cluster have each message. Default 1. */
  readonly replicas?: number;
}

export function creationConfig(
  settings: StreamSettings,
  { scale, canCompress, replicas = 1 }: CreationOptions,
) {
  return {
    ...settings.create,
    num_replicas: replicas,
    max_bytes: Math.max(settings.minBytes, Math.floor(settings.create.max_bytes * scale)),
    ...(settings.compress === true && canCompress ? { compression: "s2" as const } : {}),
  };
}

/** What all streams may take on disk together, at that scale. */
export const totalBytes = (scale: number): number =>
  streamSettings.reduce(
    (sum, settings) => sum + creationConfig(settings, { scale, canCompress: false }).max_bytes,
    0,
  );
