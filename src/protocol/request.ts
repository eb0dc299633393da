// A build request: `{}` is valid, everything has a meaning when it is left out.
import * as v from "valibot";
import { decodeJson } from "../base/json.ts";
import { HostSelectors } from "./host-selectors.ts";
import { BranchName, BuildId, Commit } from "./names.ts";
import { Overrides } from "./overrides.ts";
import { isReplySubject } from "./subjects.ts";
import { decode, encode, limits } from "./wire.ts";

/** Requests that a person waits for (`interactive`) are served before those of a timer (`batch`). */
export const Priority = v.picklist(["interactive", "batch"]);
export type Priority = v.InferOutput<typeof Priority>;

/** What caused it, for metrics and lists. */
export const Trigger = v.picklist(["manual", "ci", "poll", "update"]);
export type Trigger = v.InferOutput<typeof Trigger>;

/** Free text that people read: who asked. Controls are refused, so that a list cannot be forged. */
export const Label = v.pipe(
  v.string(),
  v.maxLength(128),
  v.regex(/^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$/, "control characters are not allowed"),
);

export const BuildRequest = v.object({
  /** Chosen by the client so that it can publish again without starting a second build. */
  id: v.optional(BuildId),
  /** Only these of the hosts that the subject names: names, globs, and what a `!` before them leaves out. */
  hosts: v.optional(HostSelectors),
  /** Instead of the repo's configured branch; not together with `rev`. */
  branch: v.optional(BranchName),
  /** Exactly this commit; it must be reachable in the repo. */
  rev: v.optional(Commit),
  /** Inputs of the repo's flake at other commits than its lock says; the subject must name the repo. */
  overrides: v.optional(Overrides),
  /** Leave out the hosts whose derivation is the same at this commit; the request is about one repo. */
  changedSince: v.optional(Commit),
  /** Evaluate again what is remembered of this commit. */
  fresh: v.optional(v.boolean()),
  priority: v.optional(Priority),
  trigger: v.optional(Trigger),
  requestedBy: v.optional(Label),
  /** A subject below `build-replies.` where the build's events are published as well. */
  replyTo: v.optional(v.pipe(v.string(), v.check(isReplySubject, "must be below build-replies."))),
  /** Seconds after which a request that no builder took is dropped. */
  expiresAfter: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(7 * 86_400))),
});
export type BuildRequest = v.InferOutput<typeof BuildRequest>;

export const encodeRequest = (request: BuildRequest): Uint8Array => encode(request);

/** @throws HomelabError `usage`: see `decode`. */
export const decodeRequest = (bytes: Uint8Array): BuildRequest =>
  decode(BuildRequest, bytes, { what: "build request", maxBytes: limits.request });

/** A control message on `build-control.<id>`. */
export const ControlMessage = v.object({ action: v.picklist(["cancel"]), requestedBy: v.optional(Label) });
export type ControlMessage = v.InferOutput<typeof ControlMessage>;

export const encodeControl = (message: ControlMessage): Uint8Array => encode(message);
export const decodeControl = (bytes: Uint8Array): ControlMessage =>
  decode(ControlMessage, bytes, { what: "control message", maxBytes: limits.request });

const Salvage = v.object({
  id: v.fallback(v.optional(BuildId), undefined),
  replyTo: v.fallback(v.optional(v.pipe(v.string(), v.check(isReplySubject))), undefined),
});

/** Where the sender of a refused request looks for the answer, as far as that can be read. */
export function salvageRequest(bytes: Uint8Array): v.InferOutput<typeof Salvage> {
  if (bytes.byteLength > limits.request) return {};
  return decodeJson(Salvage, new TextDecoder().decode(bytes)) ?? {};
}
