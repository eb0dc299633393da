import * as v from "valibot";
import { BuilderName, BuildId, RepoName } from "./names.ts";
import { decode, encode, limits } from "./wire.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A builder that is or was up: the answer on `builder.<name>.status`, also put into the bucket every 20 s. */
export const BuilderStatus = v.object({
  name: BuilderName,
  /** The version of homelab-deploy. */
  version: v.string(),
  nixVersion: v.string(),
  systems: v.array(v.string()),
  repos: v.array(RepoName),
  /** RFC 3339: when this status was made, and when the builder started. */
  at: v.pipe(v.string(), v.isoTimestamp()),
  startedAt: v.pipe(v.string(), v.isoTimestamp()),
  evaluationSlots: count,
  /** It takes requests from the backlog: clients may store batch requests there. */
  backlog: v.optional(v.boolean()),
  /** Builds that it holds. */
  builds: v.array(BuildId),
  /** The file system with the Nix store. */
  disk: v.optional(v.object({ availableBytes: v.number(), totalBytes: v.number() })),
});
export type BuilderStatus = v.InferOutput<typeof BuilderStatus>;

/** How often a builder says that it is there, and after how long it counts as gone. */
export const presence = { intervalMs: 20_000, goneAfterMs: 65_000 } as const;

export const encodeBuilderStatus = (status: BuilderStatus): Uint8Array => encode(status);
export const decodeBuilderStatus = (bytes: Uint8Array): BuilderStatus =>
  decode(BuilderStatus, bytes, { what: "builder status", maxBytes: limits.status });
