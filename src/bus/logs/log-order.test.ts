import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { silentLog } from "../../base/log.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import { logSubject } from "../../protocol/subjects.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { encodeLogChunk } from "./log-chunk-message.ts";
import { createLogOrder } from "./log-order.ts";
import { logMessageId } from "../message-ids.ts";
import type { StoredMessage } from "../stored-messages.ts";

const build = newBuildId(new Date(0));
const other = newBuildId(new Date(1));
const chunkOf = (index: number, change: Partial<LogChunk> = {}): LogChunk => ({
  build,
  log: 3,
  index,
  drvPath: "/nix/store/00000000000000000000000000000000-a.drv",
  kind: "live",
  dropped: 0,
  text: "a line\n",
  ...change,
});

function stored(chunk: LogChunk, subject = logSubject(chunk.build, chunk.log)): StoredMessage {
  const message = encodeLogChunk(chunk);
  message.headers.set("Nats-Msg-Id", logMessageId(chunk));
  return { ...message, subject, sequence: 1, storedAt: new Date(0) };
}

test("gives each chunk of each log once", () => {
  const order = createLogOrder(silentLog);
  const chunks = [chunkOf(0), chunkOf(1), chunkOf(0, { log: 4 }), chunkOf(1), chunkOf(2)];
  expect(chunks.map((chunk) => order.accept(stored(chunk))?.index)).toEqual([0, 1, 0, undefined, 2]);
});

test("a lost chunk shows as a jump of the index", () => {
  const order = createLogOrder(silentLog);
  expect([0, 4].map((index) => order.accept(stored(chunkOf(index)))?.index)).toEqual([0, 4]);
});

test.each([
  ["a chunk of another build on our subject", stored(chunkOf(0, { build: other }), logSubject(build, 3))],
  ["a chunk of another log on our subject", stored(chunkOf(0, { log: 7 }), logSubject(build, 3))],
  ["text without headers", { ...stored(chunkOf(0)), headers: headers() }],
  ["an absurd size", { ...stored(chunkOf(0)), data: new Uint8Array(1024 * 1024) }],
])("leaves out %s", (_, message) => {
  expect(createLogOrder(silentLog).accept(message)).toBeUndefined();
});
