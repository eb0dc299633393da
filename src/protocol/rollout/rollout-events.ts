// The log of a rollout: what the deployer does, and what people asked of it. Everybody appends by compare-and-swap on the
// log's subject, so two who act at once see each other. It is the truth about the rollout; a deployer that restarts goes
// on from it.
import * as v from "valibot";
import { BranchName, BuildId, Commit, HostName, RepoName, StorePath } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { deployCodeNames, deployOutcomes } from "../deploy/deploy-codes.ts";
import { OrderId } from "../deploy/order.ts";
import { newBuildId } from "../ulid.ts";
import { RolloutPolicy } from "./rollout-policy.ts";

export const maxRolloutEventBytes = 512 * 1024;
/** Hosts in one `planned` event; a plan of more is told in parts. */
export const hostsInPart = 200;
export const mostRolloutHosts = 5000;

/** A ULID, upper case: rollouts sort by when they were asked for. */
export const RolloutId = v.pipe(v.string(), v.regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/), v.brand("RolloutId"));
export type RolloutId = v.InferOutput<typeof RolloutId>;
export const isRolloutId = (text: string): text is RolloutId => v.is(RolloutId, text);
export const newRolloutId = (now: Date): RolloutId => v.parse(RolloutId, newBuildId(now));

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());
const who = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const text = v.pipe(v.string(), v.maxLength(2000));
const short = v.pipe(v.string(), v.maxLength(64));
const code = v.picklist(deployCodeNames);
const hostNames = v.pipe(v.array(HostName), v.maxLength(mostRolloutHosts));

/**
 * - `person`: somebody asked for it
 * - `automatic`: a new build of the branch
 * - `returned`: hosts that were absent are back
 */
export const rolloutTriggers = ["person", "automatic", "returned"] as const;

/**
 * Why a host is not ordered at first.
 * - `unchanged`: it runs it already
 * - `absent`: it does not report; it is ordered when it comes back
 * - `held`: somebody wants nothing deployed there
 * - `refused`: see its detail: drift, nothing stated, a downgrade
 */
export const leftOutReasons = ["unchanged", "absent", "held", "refused"] as const;

export const PlannedRolloutHost = v.object({
  host: HostName,
  /** Index into the plan's waves. */
  wave: count,
  /** What it is going to run; absent where nothing is stated. */
  path: v.optional(StorePath),
  from: v.optional(StorePath),
  fromCommit: v.optional(short),
  role: v.optional(short),
  /** Others need it while they are deployed. */
  isNeeded: v.optional(v.boolean(), false),
  /** Units that had failed before: the new system is not to blame for them. */
  failedUnits: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(300))), v.maxLength(50)), []),
  leftOut: v.optional(v.picklist(leftOutReasons)),
  detail: v.optional(text),
});
export type PlannedRolloutHost = v.InferOutput<typeof PlannedRolloutHost>;

export const PlannedWave = v.object({
  name: short,
  manual: v.optional(v.boolean(), false),
  /** Hosts of it are changed one by one: others need them. */
  oneByOne: v.optional(v.boolean(), false),
});
export type PlannedWave = v.InferOutput<typeof PlannedWave>;

/** The result of one order, as the host's own log reports it, or as the host's silence implies. */
export const RolloutResult = v.object({
  host: HostName,
  order: OrderId,
  /** `not-taken`: not while it was valid; `lost`: begun, and not heard of since; `staged`: the next boot takes it; `withdrawn`: taken back before it was begun. */
  outcome: v.picklist([...deployOutcomes, "not-taken", "lost", "staged", "withdrawn"]),
  code: v.optional(code),
  detail: v.optional(text),
  /** The host's own serial, of `REPLAYED`. */
  serial: v.optional(count),
  ms: v.optional(v.pipe(v.number(), v.minValue(0))),
  /** When it was over, by the host's clock. */
  endedAt: v.optional(time),
});
export type RolloutResult = v.InferOutput<typeof RolloutResult>;

/**
 * - `HOSTS_FAILED`: more hosts failed than may
 * - `GATE_FAILED`, `GATE_NO_DATA`: a gate says no, or nothing
 * - `GOT_WORSE`: a host has failed units that it had not before
 * - `HOST_SILENT`: a host has not reported since it was deployed
 * - `NO_CANARY`: every host of the first wave is away, so nothing proves the new system
 */
export const haltCodes = [
  "HOSTS_FAILED",
  "GATE_FAILED",
  "GATE_NO_DATA",
  "GOT_WORSE",
  "HOST_SILENT",
  "NO_CANARY",
] as const;
export type HaltCode = (typeof haltCodes)[number];

/**
 * - `completed-with-absent`: all that are there run it
 * - `failed`: some host does not run it, by the fault of the system or of the host
 * - `superseded`: a newer one took its place before it began
 */
export const rolloutOutcomes = [
  "completed",
  "completed-with-absent",
  "failed",
  "aborted",
  "superseded",
] as const;
export type RolloutOutcome = (typeof rolloutOutcomes)[number];

const common = { rollout: RolloutId, repo: RepoName, at: time };
const asked = { ...common, by: who, reason: v.optional(text) };

export const RolloutEvent = v.variant("type", [
  /** Asked for; it waits until it is its turn. */
  v.object({
    type: v.literal("created"),
    ...asked,
    trigger: v.picklist(rolloutTriggers),
    commit: Commit,
    branch: v.optional(BranchName),
    build: v.optional(BuildId),
    hosts: hostNames,
    policy: RolloutPolicy,
    retryOf: v.optional(RolloutId),
  }),
  /** A part of the plan; the first one has the waves. It begins with the last. */
  v.object({
    type: v.literal("planned"),
    ...common,
    part: count,
    parts: v.pipe(count, v.minValue(1)),
    waves: v.optional(v.pipe(v.array(PlannedWave), v.maxLength(200))),
    hosts: v.pipe(v.array(PlannedRolloutHost), v.maxLength(hostsInPart)),
  }),
  v.object({ type: v.literal("wave-started"), ...common, wave: count }),
  /** Told before the orders are stored: a deployer that dies in between finds out which are. */
  v.object({
    type: v.literal("ordered"),
    ...common,
    orders: v.pipe(
      v.array(
        v.object({
          host: HostName,
          order: OrderId,
          kind: v.picklist(["activate", "rollback", "reboot"]),
          path: StorePath,
          attempt: v.optional(count, 1),
        }),
      ),
      v.maxLength(hostsInPart),
    ),
  }),
  v.object({
    type: v.literal("ended"),
    ...common,
    results: v.pipe(v.array(RolloutResult), v.maxLength(hostsInPart)),
  }),
  /** Hosts of the next wave are told to fetch, while the wave before it soaks. How that ends decides nothing. */
  v.object({
    type: v.literal("fetch-ordered"),
    ...common,
    orders: v.pipe(
      v.array(v.object({ host: HostName, order: OrderId, path: StorePath })),
      v.maxLength(hostsInPart),
    ),
  }),
  v.object({
    type: v.literal("fetch-ended"),
    ...common,
    results: v.pipe(v.array(RolloutResult), v.maxLength(hostsInPart)),
  }),
  /** Hosts that are not ordered now, found when it was their turn. */
  v.object({
    type: v.literal("left-out"),
    ...common,
    why: v.picklist(["absent", "held", "overtaken"]),
    hosts: v.pipe(v.array(v.object({ host: HostName, detail: v.optional(text) })), v.maxLength(hostsInPart)),
  }),
  /** After an abort: the orders that were not begun are taken back. */
  v.object({
    type: v.literal("withdrawn"),
    ...common,
    orders: v.pipe(
      v.array(v.object({ host: HostName, order: OrderId, withdrawal: OrderId })),
      v.maxLength(hostsInPart),
    ),
  }),
  v.object({ type: v.literal("soaking"), ...common, wave: count, until: time }),
  v.object({ type: v.literal("soaked"), ...common, wave: count }),
  /** By the deployer before a wave that is manual, with the wave; otherwise by a person. */
  v.object({ type: v.literal("paused"), ...asked, wave: v.optional(count) }),
  v.object({ type: v.literal("resumed"), ...asked }),
  v.object({ type: v.literal("aborted"), ...asked }),
  v.object({
    type: v.literal("halted"),
    ...common,
    code: v.picklist(haltCodes),
    detail: text,
    host: v.optional(HostName),
  }),
  v.object({
    type: v.literal("finished"),
    ...common,
    outcome: v.picklist(rolloutOutcomes),
    detail: v.optional(text),
  }),
]);
export type RolloutEvent = v.InferOutput<typeof RolloutEvent>;
export type RolloutEventType = RolloutEvent["type"];
export type RolloutEventOf<Type extends RolloutEventType> = Extract<RolloutEvent, { readonly type: Type }>;

/** What people append; all else is the deployer's to say. */
export const isOfPeople = (event: RolloutEvent): boolean =>
  event.type === "resumed" ||
  event.type === "aborted" ||
  (event.type === "paused" && event.wave === undefined);

export const encodeRolloutEvent = (event: RolloutEvent): Uint8Array => encode(event);
export const decodeRolloutEvent = (bytes: Uint8Array): RolloutEvent =>
  decode(RolloutEvent, bytes, { what: "rollout event", maxBytes: maxRolloutEventBytes });
