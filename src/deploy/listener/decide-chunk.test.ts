import fc from "fast-check";
import { expect, test } from "vitest";
import type { OrderId } from "../../protocol/deploy/order.ts";
import {
  chunkBytes,
  chunkPauseMs,
  cutChunk,
  droppedChunk,
  mostOutputBytes,
  outputStart,
  placeAfter,
  type OutputPlace,
} from "./decide-chunk.ts";

const order = "01JDB3K2M4N5P6Q7R8S9T0V1W2" as OrderId;

/** As the loop around it does, with what the file has at its end. */
function cutAll(bytes: Uint8Array): { readonly texts: readonly string[]; readonly place: OutputPlace } {
  const texts: string[] = [];
  let place = outputStart;
  for (;;) {
    const cut = cutChunk(order, place, bytes.subarray(place.end, place.end + chunkBytes), true);
    if (cut === undefined) return { texts, place };
    expect(cut.chunk).toMatchObject({ order, index: texts.length, end: cut.next.end });
    texts.push(cut.chunk.text);
    place = cut.next;
  }
}

test("pieces put together are what was printed, whatever it was", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 20 }), (words) => {
      const text = words.map((word) => word.toWellFormed().repeat(1000)).join("\n");
      const { texts } = cutAll(new TextEncoder().encode(text).subarray(0, mostOutputBytes));
      expect(text.startsWith(texts.join("").replace(/\uFFFD+$/, ""))).toBe(true);
      for (const each of texts) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(chunkBytes);
    }),
    { numRuns: 50 },
  );
});

test("a character whose bytes are not all there waits for them", () => {
  const bytes = new TextEncoder().encode("grün");
  const first = cutChunk(order, outputStart, bytes.subarray(0, 3), false);
  expect(first?.chunk.text).toBe("gr");
  const rest = cutChunk(order, first?.next ?? outputStart, bytes.subarray(2), false);
  expect(rest?.chunk).toMatchObject({ index: 1, text: "ün", end: 5 });
  expect(cutChunk(order, outputStart, bytes.subarray(2, 3), false)).toBeUndefined();
  expect(cutChunk(order, outputStart, bytes.subarray(2, 3), true)?.chunk.text).toBe("\uFFFD");
});

test("bytes that are no text stay as small as they were", () => {
  const { texts } = cutAll(new Uint8Array(2 * chunkBytes).fill(0xff));
  expect(texts.map((text) => Buffer.byteLength(text))).toEqual([chunkBytes, chunkBytes]);
});

test("4 MiB are published, the rest is counted, and a process that comes later adds nothing", () => {
  const bytes = new Uint8Array(mostOutputBytes + 5000).fill(0x78);
  const { texts, place } = cutAll(bytes);
  expect(texts.join("")).toHaveLength(mostOutputBytes);
  const last = droppedChunk(order, place, bytes.length);
  expect(last).toMatchObject({ dropped: 5000, end: bytes.length, index: texts.length });
  const later = placeAfter(last);
  expect(cutChunk(order, later, bytes.subarray(later.end), true)).toBeUndefined();
});

test("ten minutes of trickling output and 4 MiB of full pieces fit into what a stream keeps", () => {
  let [pieces, elapsed] = [0, 0];
  while (elapsed < 600_000) elapsed += chunkPauseMs(pieces++);
  expect(pieces + mostOutputBytes / chunkBytes).toBeLessThan(512);
});
