// What a host says about itself, in the bucket `hosts`: on every change, and each minute.
import * as v from "valibot";
import { HostName, RepoName, StorePath } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { deployCodeNames, deployOutcomes } from "./deploy-codes.ts";
import { RebootPart } from "./deploy-events.ts";
import { OrderId } from "./order.ts";

export const maxHostStateBytes = 32 * 1024;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const short = v.pipe(v.string(), v.maxLength(64));
const time = v.pipe(v.string(), v.isoTimestamp());
const text = v.pipe(v.string(), v.maxLength(500));

/**
 * - `hand-made`: what runs is of no completed order
 * - `auto-upgrade`: the same, while `system.autoUpgrade` is on
 * - `profile`, `boot-default`: what the next boot takes is not what was made permanent
 */
export const driftKinds = ["hand-made", "auto-upgrade", "profile", "boot-default"] as const;
export type DriftKind = (typeof driftKinds)[number];

export const HostState = v.object({
  repo: RepoName,
  host: HostName,
  at: time,
  /** Rises with every state that this listener sends. */
  seq: count,
  bootId: short,
  /** The version of homelab-deploy on the host. */
  version: short,
  system: short,
  tier: v.optional(short),
  role: v.optional(short),
  labels: v.optional(v.record(short, short), {}),
  wave: v.optional(count),
  serves: v.optional(v.pipe(v.array(short), v.maxLength(20)), []),
  running: v.object({
    path: v.nullable(StorePath),
    /** Where it is known from an order. */
    commit: v.optional(v.pipe(v.string(), v.maxLength(40))),
    since: v.optional(time),
    /** `nixos-version` of it. */
    nixosVersion: v.optional(v.pipe(v.string(), v.maxLength(200))),
  }),
  booted: v.object({ path: v.nullable(StorePath) }),
  permanent: v.object({ path: v.nullable(StorePath), generation: v.optional(count) }),
  /** Null where the boot loader is one that we cannot read. */
  bootDefault: v.object({ path: v.nullable(StorePath) }),
  /** The good system before the running one, to which `rollback` goes. */
  previous: v.optional(v.object({ path: StorePath, generation: v.optional(count) })),
  /** What it is doing. */
  order: v.optional(v.object({ id: OrderId, serial: count, phase: short })),
  last: v.optional(
    v.object({
      order: v.optional(OrderId),
      outcome: v.picklist(deployOutcomes),
      code: v.optional(v.picklist(deployCodeNames)),
      detail: v.optional(text),
      at: time,
    }),
  ),
  /** The serial below which every order is a replay. */
  serial: v.optional(count),
  /** The kinds of orders that it knows. A host that names none is of a release from before `fetch`. */
  orderKinds: v.optional(v.pipe(v.array(short), v.maxLength(20)), []),
  reboot: v.optional(v.object({ needed: v.array(RebootPart), since: v.optional(time) })),
  drift: v.optional(v.array(v.picklist(driftKinds)), []),
  failedUnits: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(300))), v.maxLength(50)), []),
  hold: v.optional(text),
  migration: v.optional(v.boolean(), false),
  store: v.optional(v.object({ freeBytes: count })),
  boot: v.optional(v.object({ freeBytes: count })),
  clock: v.object({ ok: v.boolean(), offsetMs: v.optional(v.number()) }),
});
/** A host's state as it is read, with the time at which NATS stored it, which the host does not send. */
export type HostState = v.InferOutput<typeof HostState> & { readonly heardAt?: string };

export const encodeHostState = (state: HostState): Uint8Array => encode(state);
export const decodeHostState = (bytes: Uint8Array): HostState =>
  decode(HostState, bytes, { what: "host state", maxBytes: maxHostStateBytes });

/** A host that has not spoken for so long is away: it speaks each minute. */
export const absentAfterMs = 180_000;

/** By the clock of NATS, because that of the host may be wrong. */
export const seenAt = ({ at, heardAt }: Pick<HostState, "at" | "heardAt">): string => heardAt ?? at;

export const isAbsent = (state: Pick<HostState, "at" | "heardAt">, now: Date): boolean =>
  now.getTime() - Date.parse(seenAt(state)) > absentAfterMs;

/** It works at an order. One that waits for a boot does not. */
export const isWorking = (state: Pick<HostState, "order"> | undefined): boolean =>
  state?.order !== undefined && state.order.phase !== "staged";

/** An operator's mark, in the bucket `holds`: those who sign respect it. */
export const Hold = v.object({
  by: v.pipe(v.string(), v.maxLength(64)),
  reason: text,
  at: time,
  until: v.optional(time),
});
export type Hold = v.InferOutput<typeof Hold>;
export const encodeHold = (hold: Hold): Uint8Array => encode(hold);
export const decodeHold = (bytes: Uint8Array): Hold => decode(Hold, bytes, { what: "hold", maxBytes: 4096 });
