// How the output of an activation is cut into pieces. People want to see it at once, and a stream keeps only so many pieces of
// a host: so pieces come quickly at first, and less often the more there were.
import type { OutputChunk } from "../../bus/deploy-bus.ts";
import type { OrderId } from "../../protocol/deploy/order.ts";

export const chunkBytes = 64 * 1024;
/** The maximum output in bytes of one deployment. */
export const mostOutputBytes = 4 * 1024 * 1024;

/** Milliseconds between two pieces that are not full. Ten minutes of output fit into 400 pieces. */
export function chunkPauseMs(index: number): number {
  if (index < 64) return 100;
  if (index < 128) return 500;
  return index < 256 ? 2000 : 5000;
}

export interface OutputPlace {
  /** The index of the next piece. */
  readonly index: number;
  /** Bytes of the file that were dealt with. */
  readonly end: number;
  /** Bytes that were published. */
  readonly published: number;
}

export const outputStart: OutputPlace = { index: 0, end: 0, published: 0 };

/** Where a process before this one got to. Bytes that it dropped at the end are not counted as published. */
export const placeAfter = (chunk: OutputChunk): OutputPlace => ({
  index: chunk.index + 1,
  end: chunk.end,
  published: Math.min(mostOutputBytes, chunk.end),
});

/**
 * The next piece of bytes that begin at `place.end`; undefined where there is no more room for any.
 *
 * @param isOver nothing comes any more, so that a character that is cut in the middle stays so
 */
export function cutChunk(
  order: OrderId,
  place: OutputPlace,
  bytes: Uint8Array,
  isOver: boolean,
): { readonly chunk: OutputChunk; readonly next: OutputPlace } | undefined {
  const room = Math.min(chunkBytes, mostOutputBytes - place.published);
  if (room <= 0 || bytes.length === 0) return undefined;
  const taken = whole(bytes.subarray(0, room), isOver && bytes.length < room);
  if (taken.length === 0) return undefined;
  const end = place.end + taken.length;
  return {
    chunk: { order, index: place.index, end, text: fitting(taken) },
    next: { index: place.index + 1, end, published: place.published + taken.length },
  };
}

/** What says that the rest was left out. */
export const droppedChunk = (order: OrderId, { index, end }: OutputPlace, size: number): OutputChunk => ({
  order,
  index,
  end: size,
  text: "",
  dropped: size - end,
});

/** Leaves out the beginning of a character whose other bytes are missing. */
function whole(bytes: Uint8Array, isOver: boolean): Uint8Array {
  if (isOver) return bytes;
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf8 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

/** Bytes that are not UTF-8 become characters of three bytes each, and the piece would be too large. */
function fitting(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  return Buffer.byteLength(text) <= chunkBytes
    ? text
    : new TextDecoder("latin1").decode(bytes).replaceAll(/[^\n\r\t -~]/g, "?");
}
