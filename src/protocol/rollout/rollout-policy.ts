// By which rules a rollout goes. It is in the rollout's first event, so that a change of the deployer's configuration
// changes no rollout that is under way.
import * as v from "valibot";
import { Window } from "./windows.ts";

export const mostWaves = 100;
export const mostGates = 20;
export const mostWindows = 50;

const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
const label = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const url = v.pipe(
  v.string(),
  v.maxLength(1024),
  v.regex(/^https?:\/\/[^\s@]+$/, "must be a URL without a user"),
);

/** What has to hold before a wave and while it soaks. No answer, and an answer without data, do not hold. */
export const Gate = v.variant("kind", [
  /** Every sample of the answer, at least one, is a number other than 0. */
  v.object({
    kind: v.literal("prometheus"),
    name: label,
    /** The address of the server: `http://prometheus.lan:9090`. */ url,
    query: v.pipe(v.string(), v.minLength(1), v.maxLength(4000)),
  }),
  /** The address answers with a status of 200 to 299. */
  v.object({ kind: v.literal("http"), name: label, url }),
]);
export type Gate = v.InferOutput<typeof Gate>;

/** Hosts that match all that is named; the first wave that matches takes a host. */
export const WaveRule = v.object({
  name: label,
  /** The number that hosts give themselves; 0 is a canary. */
  wave: v.optional(count(1000)),
  tiers: v.optional(v.pipe(v.array(label), v.maxLength(50))),
  roles: v.optional(v.pipe(v.array(label), v.maxLength(50))),
  /** Names and globs. */
  hosts: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(128))), v.maxLength(200))),
  labels: v.optional(v.record(label, label)),
  /** The rollout pauses before it, and waits for `resume`. */
  manual: v.optional(v.boolean(), false),
});
export type WaveRule = v.InferOutput<typeof WaveRule>;

export const RolloutPolicy = v.object({
  /** Empty for the usual ones: canaries, tier `test`, the rest, and last, one by one, what others need. */
  waves: v.optional(v.pipe(v.array(WaveRule), v.maxLength(mostWaves)), []),
  /** Hosts that are changed at a time; of one role never more than one. */
  maxUnavailable: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 5),
  /** How many failed hosts are tolerated; one more halts the rollout. */
  maxFailures: v.optional(count(1000), 0),
  onFailure: v.optional(v.picklist(["halt", "rollback"]), "halt"),
  /** How long a wave has to stay well before the next one. */
  soakSeconds: v.optional(count(7 * 86_400), 600),
  gates: v.optional(v.pipe(v.array(Gate), v.maxLength(mostGates)), []),
  /** Orders are given only inside one of them; none means always. */
  windows: v.optional(v.pipe(v.array(Window), v.maxLength(mostWindows)), []),
  /** Whether hosts that need a reboot get one after the last wave. */
  reboots: v.optional(v.picklist(["never", "in-window"]), "never"),
  /** Everything in one wave; what others need is still last and one by one. */
  atOnce: v.optional(v.boolean(), false),
});
export type RolloutPolicy = v.InferOutput<typeof RolloutPolicy>;
