// The journal of a host: the events of its deployments as everybody may read them, each with what only the host needs to go
// on after a crash. A line is on the disk before what it announces is done.
import * as v from "valibot";
import { DeployEvent } from "../protocol/deploy/deploy-events.ts";
import { OrderId } from "../protocol/deploy/order.ts";
import { StorePath } from "../protocol/names.ts";
import { DeploymentCounts } from "./deployment-counts.ts";

/** Version of the format. A release that finds a newer one leaves the journal to the release that wrote it. */
export const journalVersion = 1;
export const journalFile = "journal";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const unitName = v.pipe(v.string(), v.maxLength(300));
const link = v.nullable(StorePath);

/**
 * What was there before anything was changed. The switch itself makes systemd forget which units had failed, so nobody can
 * tell later.
 */
export const Baseline = v.object({
  running: StorePath,
  permanent: v.nullable(v.object({ path: StorePath, generation: count })),
  booted: link,
  bootDefault: link,
  bootId: v.string(),
  failedUnits: v.array(unitName),
  activeUnits: v.array(unitName),
  /** Whether these answered before; absent when the listener has not reported. */
  network: v.optional(v.object({ nats: v.boolean(), witnesses: v.array(v.string()) })),
});
export type Baseline = v.InferOutput<typeof Baseline>;

const JournalLine = v.object({
  v: v.literal(journalVersion),
  event: DeployEvent,
  /** The id of the boot in which it was written. */
  bootId: v.string(),
  /** Only with `received`: the envelope, in base 64. */
  envelope: v.optional(v.string()),
  /** With `ready`: what ran before. With a `received` that reboots into a staged system: what ran before it was staged. */
  baseline: v.optional(Baseline),
  /** With `ready`: why the host must not switch to the system. */
  inhibited: v.optional(v.string()),
  /** A person has looked at a host whose rollback had failed. */
  cleared: v.optional(v.boolean()),
});
export type JournalLine = v.InferOutput<typeof JournalLine>;

/** As it is in the file. */
const StoredLine = v.object({
  ...JournalLine.entries,
  /** What happened, where `event` is only a warning for a release that knows less. */
  meant: v.optional(DeployEvent),
});

/** The first line: what is needed from everything that is no longer in the file. */
export const JournalHead = v.object({
  v: v.literal(journalVersion),
  head: v.object({
    /** The index of the first event below. */
    nextIndex: count,
    serial: count,
    lastOrder: v.optional(OrderId),
    /** The clock was never before this: the latest time in an order that was accepted. */
    clockFloor: v.optional(v.string()),
    /** When this host kept a journal for the first time: older orders are not for it. */
    firstStart: v.string(),
    /** Systems that an order had made permanent, the newest last. */
    completed: v.array(v.object({ path: StorePath, commit: v.optional(v.string()), at: v.string() })),
    /** The good system before the one that is permanent. */
    previous: v.optional(StorePath),
    isStuck: v.optional(v.boolean(), false),
    /** For metrics only: whatever is wrong with them, the host deploys on. */
    counts: v.fallback(v.optional(DeploymentCounts), undefined),
  }),
});
export type JournalHead = v.InferOutput<typeof JournalHead>["head"];

export const decodeJournalHead = (value: unknown): JournalHead | undefined => {
  const result = v.safeParse(JournalHead, value);
  return result.success ? result.output.head : undefined;
};

export const decodeJournalLine = (value: unknown): JournalLine | undefined => {
  const result = v.safeParse(StoredLine, value);
  if (!result.success) return undefined;
  const { meant, ...line } = result.output;
  return meant === undefined ? line : { ...line, event: meant };
};

/**
 * A line as it is stored. A host goes back to the release before this one when its new system does not work, and that
 * release must still read the whole journal: a line that it cannot read would leave the host without orders. It can do
 * without what was fetched for later, because nothing was changed by that.
 */
export function storedLine(line: JournalLine): object {
  const { event } = line;
  const isNew =
    (event.type === "received" && event.kind === "fetch") ||
    (event.type === "finished" && event.outcome === "fetched");
  if (!isNew) return line;
  const { repo, host, index, at, order } = event;
  const text = event.type === "received" ? "fetching for a later order" : "fetched for a later order";
  return { ...line, event: { type: "warning", repo, host, index, at, order, text }, meant: event };
}

/** An event as it happens: the journal gives it its place and time. */
export type EventBody = DistributiveOmit<DeployEvent, "repo" | "host" | "index" | "at">;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export type JournalEntry = { readonly event: EventBody } & Partial<
  Pick<JournalLine, "envelope" | "baseline" | "inhibited" | "cleared">
>;

/** The journal of the only process that deploys. */
export interface Journal {
  readonly head: JournalHead;
  /** All lines below the head, in order. */
  readonly lines: readonly JournalLine[];
  /** Resolves once it is on the disk: what it announces may be done then, and not before. */
  append(entry: JournalEntry): Promise<JournalLine>;
}
