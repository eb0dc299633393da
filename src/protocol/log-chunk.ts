// A piece of one derivation's log. The text is the payload as it is; what it belongs to is in the headers, so
// that any NATS client can print a log.
import * as v from "valibot";
import { BuildId, FullHostName } from "./names.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A chunk does not name more hosts. */
export const mostHostsOfChunk = 8;

export const LogChunk = v.object({
  build: BuildId,
  /** Numbers the logs of a build. A failed derivation has two: what was seen live, and its full log. */
  log: count,
  /** The chunk's place in that log, from 0, without a gap. */
  index: count,
  drvPath: v.pipe(v.string(), v.maxLength(512)),
  /** `live`: as it came. `full`: read from the store after the derivation failed. */
  kind: v.picklist(["live", "full"]),
  /** The hosts that it is built for; absent when they are not known (yet), or are more than that. */
  hosts: v.optional(v.pipe(v.array(FullHostName), v.minLength(1), v.maxLength(mostHostsOfChunk))),
  /** The remote builder that it is built on, `ssh://arm1`; absent for the builder itself. Printable ASCII without spaces. */
  machine: v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/))),
  /** Lines that were dropped right before this chunk, because they came faster than they could be stored or were too many. */
  dropped: count,
  /** Whole lines, each ending in a newline, unless a single line is longer than a chunk. */
  text: v.string(),
});
export type LogChunk = v.InferOutput<typeof LogChunk>;

export const logHeaders = {
  index: "Hd-Chunk",
  drvPath: "Hd-Drv",
  kind: "Hd-Kind",
  hosts: "Hd-Hosts",
  machine: "Hd-Machine",
  dropped: "Hd-Dropped",
} as const;
