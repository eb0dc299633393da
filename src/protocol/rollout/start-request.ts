// Asking the deployer for a rollout, and its answer. Never stored: what nobody heard does not start days later.
import * as v from "valibot";
import { BuildId, Commit, HostName } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { mostRolloutHosts, PlannedRolloutHost, PlannedWave, RolloutId } from "./rollout-events.ts";
import { RolloutPolicy } from "./rollout-policy.ts";

export const maxStartBytes = 256 * 1024;
/** NATS refuses more than 1 MiB. A larger answer is packed by gzip. */
export const maxSentAnswerBytes = 1000 * 1024;
export const maxAnswerBytes = 16 * 1024 * 1024;

const text = v.pipe(v.string(), v.maxLength(2000));

export const StartRequest = v.object({
  by: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  reason: v.optional(text),
  /** Hosts of the request's repo; absent for all of them. */
  hosts: v.optional(v.pipe(v.array(HostName), v.minLength(1), v.maxLength(mostRolloutHosts))),
  /** The beginning of a commit, or a build; without both, the newest build of the branch that was stated. */
  commit: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{4,40}$/))),
  build: v.optional(BuildId),
  atOnce: v.optional(v.boolean()),
  reboot: v.optional(v.boolean()),
  retryOf: v.optional(RolloutId),
  /** Answered with the plan, and nothing begins. */
  planOnly: v.optional(v.boolean()),
});
export type StartRequest = v.InferOutput<typeof StartRequest>;

export const StartAnswer = v.variant("type", [
  v.object({
    type: v.literal("accepted"),
    rollout: RolloutId,
    /** The one that has to end before. */ waitsFor: v.optional(RolloutId),
  }),
  v.object({
    type: v.literal("plan"),
    commit: Commit,
    waves: v.array(PlannedWave),
    hosts: v.pipe(v.array(PlannedRolloutHost), v.maxLength(mostRolloutHosts)),
    policy: RolloutPolicy,
  }),
  v.object({
    type: v.literal("refused"),
    code: v.pipe(v.string(), v.maxLength(64)),
    detail: text,
    hint: v.optional(text),
  }),
]);
export type StartAnswer = v.InferOutput<typeof StartAnswer>;

export const encodeStartRequest = (request: StartRequest): Uint8Array => encode(request);
export const decodeStartRequest = (bytes: Uint8Array): StartRequest =>
  decode(StartRequest, bytes, { what: "request for a rollout", maxBytes: maxStartBytes });
export const encodeStartAnswer = (answer: StartAnswer): Uint8Array => encode(answer);
export const decodeStartAnswer = (bytes: Uint8Array): StartAnswer =>
  decode(StartAnswer, bytes, { what: "answer of the deployer", maxBytes: maxAnswerBytes });
