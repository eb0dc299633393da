// The log of a host's deployments: what it did with each order, in order and without a gap. The host writes it into its
// journal before it acts; NATS gets the same lines later.
import * as v from "valibot";
import { HostName, RepoName, StorePath } from "../names.ts";
import { decode, encode, wireVersion } from "../wire.ts";
import { deployCodeNames, deployOutcomes } from "./deploy-codes.ts";
import { OrderId, orderKinds } from "./order.ts";

export const maxDeployEventBytes = 64 * 1024;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.minValue(0));
/** From programs of the host: bounded, and escaped only where it is shown. */
const text = v.pipe(v.string(), v.maxLength(2000));
const unit = v.pipe(v.string(), v.maxLength(300));
const units = v.pipe(v.array(unit), v.maxLength(50));
const code = v.picklist(deployCodeNames);

/** Parts of a system that only a boot takes over. */
export const rebootParts = ["kernel", "initrd", "modules", "params", "systemd", "firmware"] as const;
export const RebootPart = v.picklist(rebootParts);
export type RebootPart = v.InferOutput<typeof RebootPart>;

export const CheckResult = v.object({
  name: v.pipe(v.string(), v.maxLength(100)),
  ok: v.boolean(),
  ms: milliseconds,
  detail: v.optional(text),
  /** Whether the new system goes when it fails. */
  critical: v.boolean(),
});
export type CheckResult = v.InferOutput<typeof CheckResult>;

export const UnitFindings = v.object({
  /** How many were failed before and after. */
  before: count,
  after: count,
  /** Failed now and not before. */
  new: units,
  /** Active before, still part of the system, and neither active nor waiting for something. */
  lost: units,
});
export type UnitFindings = v.InferOutput<typeof UnitFindings>;

const common = {
  repo: RepoName,
  host: HostName,
  /** From 0, of the host's log. */
  index: count,
  at: v.pipe(v.string(), v.isoTimestamp()),
  /** Absent where bytes were refused that name none. */
  order: v.optional(OrderId),
};

export const DeployEvent = v.variant("type", [
  v.object({
    type: v.literal("received"),
    ...common,
    kind: v.picklist(orderKinds),
    action: v.picklist(["switch", "boot"]),
    path: StorePath,
    serial: count,
    by: v.pipe(v.string(), v.maxLength(64)),
    commit: v.optional(v.pipe(v.string(), v.maxLength(40))),
    reason: v.optional(text),
    rollout: v.optional(v.object({ id: v.pipe(v.string(), v.maxLength(64)), wave: count })),
  }),
  v.object({
    type: v.literal("rejected"),
    ...common,
    code,
    detail: text,
    /** The host's own, of `REPLAYED`. */ serial: v.optional(count),
  }),
  v.object({ type: v.literal("fetching"), ...common, bytes: count, paths: count }),
  v.object({ type: v.literal("fetched"), ...common, ms: milliseconds, paths: count, bytes: count }),
  v.object({
    type: v.literal("ready"),
    ...common,
    reboot: v.array(RebootPart),
    /** Free bytes of the boot file system. */ bootRoom: v.optional(count),
  }),
  v.object({ type: v.literal("activating"), ...common, epoch: count, from: StorePath }),
  v.object({
    type: v.literal("activated"),
    ...common,
    exit: v.nullable(v.number()),
    current: v.nullable(StorePath),
  }),
  v.object({ type: v.literal("checking"), ...common }),
  v.object({
    type: v.literal("checked"),
    ...common,
    checks: v.pipe(v.array(CheckResult), v.maxLength(100)),
    units: UnitFindings,
  }),
  v.object({
    type: v.literal("confirmed"),
    ...common,
    ms: milliseconds,
    /** For how long NATS was away meanwhile. */ heldMs: v.optional(milliseconds),
  }),
  v.object({ type: v.literal("persisting"), ...common }),
  v.object({ type: v.literal("staged"), ...common, why: text }),
  v.object({ type: v.literal("rebooting"), ...common }),
  v.object({ type: v.literal("booted"), ...common, path: StorePath }),
  v.object({ type: v.literal("rolling-back"), ...common, why: text, code }),
  v.object({ type: v.literal("warning"), ...common, text }),
  v.object({
    type: v.literal("finished"),
    ...common,
    outcome: v.picklist(deployOutcomes),
    code: v.optional(code),
    detail: v.optional(text),
    /** The exit code of the program that failed. */
    exit: v.optional(v.number()),
    ms: milliseconds,
  }),
]);
export type DeployEvent = v.InferOutput<typeof DeployEvent>;
export type DeployEventType = DeployEvent["type"];
export type DeployEventOf<Type extends DeployEventType> = Extract<DeployEvent, { readonly type: Type }>;

export const encodeDeployEvent = (event: DeployEvent): Uint8Array => encode(event);
export const decodeDeployEvent = (bytes: Uint8Array): DeployEvent =>
  decode(DeployEvent, bytes, {
    what: "deployment event",
    maxBytes: maxDeployEventBytes,
    newestVersion: wireVersion,
  });
