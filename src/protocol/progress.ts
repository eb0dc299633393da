// What a live view shows between two events. Not stored: whoever misses a message sees the next one.
import * as v from "valibot";
import { HostRef } from "./events.ts";
import { BuildId } from "./names.ts";
import { decode, encode, limits } from "./wire.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const text = v.pipe(v.string(), v.maxLength(1024));

const RunningDerivation = v.object({
  name: text,
  phase: v.optional(text),
  /** Milliseconds since it started, when this message was made. */
  elapsedMs: v.pipe(v.number(), v.minValue(0)),
  /** Milliseconds that derivations of this name took before, in the middle; absent when none was built before. */
  usualMs: v.optional(v.pipe(v.number(), v.minValue(0))),
  /** The remote builder that builds it, `ssh://arm1`; absent on the builder itself, and of earlier releases. */
  machine: v.optional(text),
  /** One host that waits for it; more of them when it is shared. */
  host: v.optional(HostRef),
});
export type RunningDerivation = v.InferOutput<typeof RunningDerivation>;

export const HostProgress = v.object({
  ...HostRef.entries,
  /** Derivations of this host that had to be built when it began, and how many of them are. */
  built: count,
  toBuild: count,
  /** Nothing that it needs is being built or fetched: what is built takes all slots. */
  waitsForSlot: v.optional(v.boolean()),
});
export type HostProgress = v.InferOutput<typeof HostProgress>;

export const BuildProgress = v.object({
  build: BuildId,
  /**
   * One line of what happens before the first event: `fetching nixos-servers (attempt 2 of 3)`; later what a build waits
   * for, such as the lock of another Nix process.
   */
  note: v.optional(text),
  evaluations: v.optional(
    v.object({ done: count, total: count, running: v.pipe(v.array(HostRef), v.maxLength(64)) }),
  ),
  builds: v.optional(
    v.object({
      done: count,
      running: count,
      failed: count,
      total: count,
      /** Milliseconds until all is built, guessed; absent while too little is known. */
      leftMs: v.optional(v.pipe(v.number(), v.minValue(0))),
    }),
  ),
  fetches: v.optional(v.object({ done: count, total: count })),
  /** The longest running first. */
  running: v.pipe(v.array(RunningDerivation), v.maxLength(32)),
  /** Only hosts that changed since the last message. */
  hosts: v.pipe(v.array(HostProgress), v.maxLength(200)),
});
export type BuildProgress = v.InferOutput<typeof BuildProgress>;

export const encodeProgress = (progress: BuildProgress): Uint8Array => encode(progress);
export const decodeProgress = (bytes: Uint8Array): BuildProgress =>
  decode(BuildProgress, bytes, { what: "progress message", maxBytes: limits.progress });
