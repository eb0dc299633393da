// What a pull request of ours says about itself, invisibly: by it a later run knows it again.
import { createHash } from "node:crypto";
import * as v from "valibot";
import { decodeJson } from "../../base/json.ts";
import { Commit } from "../../protocol/names.ts";

export const markerStart = "<!-- homelab-deploy:update v1";

const Marker = v.object({
  run: v.pipe(v.string(), v.maxLength(64)),
  base: Commit,
  /** The digest of the candidate's flake.lock. */
  lock: v.pipe(v.string(), v.regex(/^sha256-[A-Za-z0-9+/=]{44}$/)),
});
export type Marker = v.InferOutput<typeof Marker>;

export const printMarker = (marker: Marker): string => `${markerStart} ${JSON.stringify(marker)} -->`;

/** Undefined for a body that is not ours, or that somebody has changed there. */
export function findMarker(body: string): Marker | undefined {
  const start = body.indexOf(markerStart);
  const end = body.indexOf("-->", start);
  if (start < 0 || end < 0) return undefined;
  return decodeJson(Marker, body.slice(start + markerStart.length, end));
}

export const lockDigest = (lock: string): string =>
  `sha256-${createHash("sha256").update(lock).digest("base64")}`;
