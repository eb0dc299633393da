// The results of updates, on `update-events.<repo>`: for builders that warm the cache, and for notifiers.
import * as v from "valibot";
import { Commit, RepoName } from "./names.ts";
import { decode, encode } from "./wire.ts";

/**
 * - `landed`: it is on the branch
 * - `proposed`: a person has to act
 * - `declined`: a person closed a pull request of exactly this update, so it is not proposed again
 * - `no-change`: there was nothing to update
 * - `failed`: it ended without a verdict, or with an error
 */
export const updateOutcomes = ["landed", "proposed", "declined", "no-change", "failed"] as const;
export type UpdateOutcome = (typeof updateOutcomes)[number];

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const Counts = v.record(v.pipe(v.string(), v.maxLength(32)), count);
const text = v.pipe(v.string(), v.maxLength(1024));

const name = v.pipe(v.string(), v.maxLength(255));
const short = v.pipe(v.string(), v.maxLength(64));

/** How much of what a landed update changes fits into an event; the report has all of it. */
export const effectLimits = { hosts: 50, packages: 12, reasons: 5, hostsOfReason: 20, text: 64 } as const;

const HostEffect = v.object({
  host: name,
  /** Parts that the running system only takes over when it boots: `kernel`, `systemd`. */
  reboot: v.pipe(v.array(short), v.maxLength(10)),
  /** Bytes of everything that the system needs, and how many more than before. */
  closureSize: count,
  sizeDelta: v.pipe(v.number(), v.integer()),
  /** The most telling first. An empty text stands for a package that was added or removed. */
  packages: v.pipe(
    v.array(v.object({ name: short, from: short, to: short })),
    v.maxLength(effectLimits.packages),
  ),
  /** How many change, with those that are not named. */
  packageCount: count,
});

/** What a landed update changes on the hosts, once it is deployed. */
export const LandedEffect = v.object({
  /** The hosts whose system changes. */
  hosts: v.pipe(v.array(HostEffect), v.maxLength(effectLimits.hosts)),
  /** How many change, with those that are not named. */
  changed: count,
  unchanged: count,
  /** Hosts whose difference could not be determined where the update ran. */
  unknown: v.pipe(
    v.array(
      v.object({
        reason: v.pipe(v.string(), v.maxLength(200)),
        hosts: v.pipe(v.array(name), v.maxLength(effectLimits.hostsOfReason)),
        count,
      }),
    ),
    v.maxLength(effectLimits.reasons),
  ),
});
export type LandedEffect = v.InferOutput<typeof LandedEffect>;
export type HostEffect = LandedEffect["hosts"][number];

export const UpdateEvent = v.object({
  repo: RepoName,
  /** The run's id; with the outcome and the commit it makes an event unique. */
  run: text,
  outcome: v.picklist(updateOutcomes),
  at: v.pipe(v.string(), v.isoTimestamp()),
  base: v.optional(Commit),
  /** What landed or is proposed. */
  commit: v.optional(Commit),
  inputs: v.pipe(v.array(text), v.maxLength(500)),
  /** How many hosts are of each class. */
  hosts: Counts,
  /** The same for repos that use this one and were built with it, by name. */
  downstream: v.optional(v.record(RepoName, Counts)),
  /** What the landed commit changes; absent if it could not be determined, and with other outcomes. */
  effect: v.optional(LandedEffect),
  /** The URL of the pull request. */
  url: v.optional(text),
  /** Why, where it did not land. */
  reason: v.optional(text),
  /** Inputs that could not be updated; absent when upstream was not asked. */
  unavailable: v.optional(
    v.pipe(
      v.array(
        v.object({
          input: text,
          reason: text,
          /** Updates in a row that could not reach it. */
          runs: count,
          /** It does not pass by itself: its remote does not have it, refuses our credentials, or cannot be reached for long. */
          needsPerson: v.boolean(),
        }),
      ),
      v.maxLength(100),
    ),
  ),
  /** Pull requests of updates of this repo that are open then; absent when nobody asked the forge. */
  pullRequests: v.optional(
    v.pipe(
      v.array(
        v.object({ number: count, url: v.optional(text), createdAt: v.pipe(v.string(), v.isoTimestamp()) }),
      ),
      v.maxLength(100),
    ),
  ),
});
export type UpdateEvent = v.InferOutput<typeof UpdateEvent>;

export const encodeUpdateEvent = (event: UpdateEvent): Uint8Array => encode(event);
export const decodeUpdateEvent = (bytes: Uint8Array): UpdateEvent =>
  decode(UpdateEvent, bytes, { what: "update event", maxBytes: 256 * 1024 });

/** The same id for the same outcome of the same commit in the same run: published twice, it is stored once. */
export const updateEventId = ({
  run,
  outcome,
  commit,
}: Pick<UpdateEvent, "run" | "outcome" | "commit">): string =>
  ["update", run, outcome, ...(commit === undefined ? [] : [commit])].join(".");
