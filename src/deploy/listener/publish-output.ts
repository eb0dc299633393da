// Streams what an activation prints, from the file that it prints to. The listener may be started again in the middle: the
// last piece that NATS has says where to continue.
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { hasCode } from "../../base/errors.ts";
import type { ListenerBus } from "../../bus/deploy-bus.ts";
import type { OrderId } from "../../protocol/deploy/order.ts";
import type { HostMemory } from "../host-memory.ts";
import {
  chunkBytes,
  chunkPauseMs,
  cutChunk,
  droppedChunk,
  outputStart,
  placeAfter,
  type OutputPlace,
} from "./decide-chunk.ts";
import type { JournalWatch } from "./journal-watch.ts";
import { waitAtMost } from "./wait-at-most.ts";

export interface OutputPublisher {
  readonly bus: ListenerBus;
  readonly journal: JournalWatch;
  /** Where `<order>.log` is. */
  readonly directory: string;
  readonly clock: Clock;
}

/** While nothing is activated: a change of the journal may have been missed. */
const idleMs = 60_000;

export async function publishOutput(publisher: OutputPublisher, signal: AbortSignal): Promise<void> {
  const { bus, journal, clock } = publisher;
  const notifier = journal.notifier();
  // What the newest deployment printed while no listener was there.
  const before = journal.view()?.memory.last?.order;
  let stream = before === undefined ? undefined : await openStream(bus, before, signal);
  while (!signal.aborted) {
    const order = ordersOutput(journal.view()?.memory);
    if (stream !== undefined) {
      const isOver = order !== stream.order;
      await publishRest(publisher, stream, isOver, signal);
      if (isOver) stream = undefined;
      else await clock.sleep(chunkPauseMs(stream.place.index), signal).catch(() => undefined);
    } else if (order !== undefined) stream = await openStream(bus, order, signal);
    else await waitAtMost(notifier, idleMs, clock, signal);
  }
}

interface OutputStream {
  readonly order: OrderId;
  place: OutputPlace;
}

/** The order whose activation may print something. */
function ordersOutput(memory: HostMemory | undefined): OrderId | undefined {
  const current = memory?.current;
  if (current === undefined) return undefined;
  const { epoch, hasPersisted, isStaged, phase, order } = current;
  return epoch > 0 || hasPersisted || isStaged || phase === "activating" ? order.id : undefined;
}

async function openStream(bus: ListenerBus, order: OrderId, signal: AbortSignal): Promise<OutputStream> {
  const last = await bus.lastOutput(signal);
  return { order, place: last?.order === order ? placeAfter(last) : outputStart };
}

async function publishRest(
  { bus, directory }: OutputPublisher,
  stream: OutputStream,
  isOver: boolean,
  signal: AbortSignal,
): Promise<void> {
  const file = join(directory, `${stream.order}.log`);
  for (;;) {
    const { bytes, size } = await readFrom(file, stream.place.end);
    const cut = cutChunk(stream.order, stream.place, bytes, isOver);
    if (cut === undefined) {
      // Said once, when it is known how much it was.
      if (isOver && size > stream.place.end)
        await bus.appendOutput(droppedChunk(stream.order, stream.place, size), signal);
      return;
    }
    await bus.appendOutput(cut.chunk, signal);
    stream.place = cut.next;
    if (bytes.length < chunkBytes) return;
  }
}

/** The next bytes of the file, and its size; nothing where there is no such file. */
async function readFrom(
  path: string,
  position: number,
): Promise<{ readonly bytes: Uint8Array; readonly size: number }> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const buffer = new Uint8Array(Math.max(0, Math.min(chunkBytes, size - position)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    return { bytes: buffer.subarray(0, bytesRead), size };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return { bytes: new Uint8Array(), size: 0 };
    throw error;
  }
}
