// What a host knows about its orders: a fold of its journal. Nothing else is remembered, so what a crash leaves is enough.
import type { DeployEventType } from "../protocol/deploy/deploy-events.ts";
import { bytesOf, decodeEnvelope, decodeOrder, type Order, type OrderId } from "../protocol/deploy/order.ts";
import { decodeStatement, type Statement } from "../protocol/deploy/statement.ts";
import type { StorePath } from "../protocol/names.ts";
import { countFinished, countRejected, noDeployments, type DeploymentCounts } from "./deployment-counts.ts";
import type { Baseline, JournalHead, JournalLine } from "./journal.ts";

/** Where a deployment is: the last thing that it announced. */
export type Phase = Exclude<DeployEventType, "rejected" | "warning" | "finished">;

/** A deployment that has not finished. */
export interface Deployment {
  readonly order: Order;
  /** The envelope as it was received, to pass it on. */
  readonly envelope: string;
  readonly statement?: Statement;
  readonly phase: Phase;
  /** The id of the boot in which it came into this phase. */
  readonly bootId: string;
  /** When it came into this phase. */
  readonly since: string;
  readonly receivedAt: string;
  readonly baseline?: Baseline;
  /** It must not be switched to, only booted. */
  readonly inhibited?: string;
  /** How often this host began to activate it. */
  readonly epoch: number;
  /** The profile or the boot loader may have been changed for it. */
  readonly hasPersisted: boolean;
  /** It was made the default of the next boot. */
  readonly isStaged: boolean;
  /** A reboot that proves what was staged: the deployment that waited for it, until that has its end. */
  readonly takesOver?: Pick<Deployment, "receivedAt"> & { readonly id: OrderId };
  readonly undo?: { readonly code: string; readonly why: string };
}

export interface CompletedSystem {
  readonly path: StorePath;
  readonly commit?: string;
  readonly at: string;
}

export interface HostMemory {
  readonly nextIndex: number;
  /** The serial of the newest order that was taken: nothing that is not higher is obeyed. */
  readonly serial: number;
  readonly lastOrder?: OrderId;
  /** The same, if all that it wanted was a fetch: the order for which that was done is still to come. */
  readonly forLater?: OrderId;
  readonly clockFloor?: string;
  readonly firstStart: string;
  /** Systems that an order made permanent here, the newest last. */
  readonly completed: readonly CompletedSystem[];
  /** The good system before the one that is permanent now. */
  readonly previous?: StorePath;
  /** At most one at a time. */
  readonly current?: Deployment;
  /** A rollback failed, and nobody has looked yet: nothing more is touched. */
  readonly isStuck: boolean;
  /** Since the first journal of this host. */
  readonly counts: DeploymentCounts;
  /** How the newest deployment that was to change something ended. */
  readonly last?: Extract<JournalLine["event"], { readonly type: "finished" }>;
}

/** Why a host whose rollback failed obeys nobody, until a person has looked. */
export const rollbackFailedHold = "a rollback failed here";

/** Enough systems to distinguish hand-made ones from deployed ones. */
export const mostCompleted = 50;

export function memoryOf(head: JournalHead, lines: readonly JournalLine[]): HostMemory {
  const start: HostMemory = {
    nextIndex: head.nextIndex,
    serial: head.serial,
    lastOrder: head.lastOrder,
    clockFloor: head.clockFloor,
    firstStart: head.firstStart,
    completed: head.completed,
    previous: head.previous,
    isStuck: head.isStuck,
    counts: head.counts ?? noDeployments,
  };
  return lines.reduce(remember, start);
}

/** A journal's line is taken for true: it was written by the activator, which is root. */
export function remember(memory: HostMemory, line: JournalLine): HostMemory {
  const { event } = line;
  const isStuck = memory.isStuck && line.cleared !== true;
  const next = { ...memory, isStuck, nextIndex: event.index + 1 };
  if (event.type === "received") return begin(next, line);
  if (event.type === "finished") return finish(next, event);
  if (event.type === "rejected") return { ...next, counts: countRejected(memory.counts, event) };
  const { current } = memory;
  if (current === undefined || event.order !== current.order.id) return next;
  if (event.type === "warning") return next;
  return { ...next, current: advance(current, line) };
}

function begin(memory: HostMemory, { event, envelope, bootId, baseline }: JournalLine): HostMemory {
  if (envelope === undefined) return memory;
  const { order, statement } = contentOf(envelope);
  const isForStaged = baseline !== undefined;
  // An order may come from a clock that is ahead: our own has never been there.
  const seen = Date.parse(event.at) < Date.parse(order.issuedAt) ? event.at : order.issuedAt;
  const floor = [memory.clockFloor, seen].filter((time) => time !== undefined);
  return {
    ...memory,
    serial: Math.max(memory.serial, order.serial),
    lastOrder: order.id,
    forLater: order.kind === "fetch" ? order.id : undefined,
    clockFloor: floor.toSorted((a, b) => Date.parse(a) - Date.parse(b)).at(-1),
    current: {
      order,
      envelope,
      statement: isForStaged ? memory.current?.statement : statement,
      phase: "received",
      bootId,
      since: event.at,
      receivedAt: event.at,
      baseline,
      epoch: 0,
      hasPersisted: isForStaged,
      isStaged: isForStaged,
      takesOver:
        isForStaged && memory.current !== undefined
          ? { id: memory.current.order.id, receivedAt: memory.current.receivedAt }
          : undefined,
    },
  };
}

/** The content of an envelope that was accepted before. */
function contentOf(envelope: string): { readonly order: Order; readonly statement?: Statement } {
  const { order, statement } = decodeEnvelope(bytesOf(envelope));
  return {
    order: decodeOrder(bytesOf(order)),
    statement: statement === undefined ? undefined : decodeStatement(bytesOf(statement)),
  };
}

function advance(current: Deployment, { event, bootId, baseline, inhibited }: JournalLine): Deployment {
  const { type, at } = event;
  if (type === "rejected" || type === "warning" || type === "finished") return current;
  return {
    ...current,
    phase: type,
    bootId,
    since: at,
    baseline: baseline ?? current.baseline,
    inhibited: inhibited ?? current.inhibited,
    epoch: type === "activating" ? event.epoch : current.epoch,
    hasPersisted: current.hasPersisted || type === "persisting",
    isStaged: current.isStaged || type === "staged",
    undo: type === "rolling-back" ? { code: event.code, why: event.why } : current.undo,
  };
}

function finish(
  memory: HostMemory,
  event: Extract<JournalLine["event"], { readonly type: "finished" }>,
): HostMemory {
  const { current } = memory;
  if (current !== undefined && event.order === current.takesOver?.id) {
    return { ...memory, last: event, current: { ...current, takesOver: undefined } };
  }
  if (current === undefined || event.order !== current.order.id) return { ...memory, last: event };
  const ended: HostMemory = {
    ...memory,
    current: undefined,
    // How a fetch for later ended is not about what the host runs, or failed to run.
    last: current.order.kind === "fetch" ? memory.last : event,
    counts: countFinished(memory.counts, current.order, event),
    isStuck: memory.isStuck || event.outcome === "rollback-failed",
  };
  const isPermanent = event.outcome === "completed" || event.outcome === "unchanged";
  const { kind } = current.order;
  // A reboot proves what was staged before it.
  const hasBrought = kind === "activate" || kind === "rollback" || (kind === "reboot" && current.isStaged);
  if (!isPermanent || !hasBrought) return ended;
  const { path } = current.order;
  const before = current.baseline?.running;
  return {
    ...ended,
    completed: [
      ...memory.completed.filter((known) => known.path !== path),
      { path, commit: current.statement?.commit, at: event.at },
    ].slice(-mostCompleted),
    // What a rollback left was not good, so nothing goes back to it.
    previous:
      current.order.kind === "rollback"
        ? undefined
        : before === undefined || before === path
          ? memory.previous
          : before,
  };
}

/** Whether no order that was completed here has brought what runs. Never true before the first completed order. */
export const isHandMade = ({ completed }: HostMemory, running: StorePath | undefined): boolean =>
  completed.length > 0 && !completed.some(({ path }) => path === running);
