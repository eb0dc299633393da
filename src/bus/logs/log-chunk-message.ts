// A log chunk as a message: the text is the payload as it is, the rest is in the subject and the headers.
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import * as v from "valibot";
import { LogChunk, logHeaders } from "../../protocol/log-chunk.ts";
import { limits } from "../../protocol/wire.ts";

export function encodeLogChunk(chunk: LogChunk): { data: Uint8Array; headers: MsgHdrs } {
  const set = headers();
  set.set(logHeaders.index, String(chunk.index));
  set.set(logHeaders.drvPath, chunk.drvPath);
  set.set(logHeaders.kind, chunk.kind);
  if (chunk.hosts !== undefined) set.set(logHeaders.hosts, chunk.hosts.join(","));
  if (chunk.machine !== undefined) set.set(logHeaders.machine, chunk.machine);
  set.set(logHeaders.dropped, String(chunk.dropped));
  return { data: new TextEncoder().encode(chunk.text), headers: set };
}

/** What a reader accepts at most: a chunk has up to 64 KiB of text, UTF-8 may need more bytes. */
const maxBytes = 4 * limits.logChunk;

/** Undefined if it is not a chunk that we understand. */
export function decodeLogChunk(message: {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}): LogChunk | undefined {
  if (message.data.byteLength > maxBytes) return undefined;
  const [, build, log] = message.subject.split(".");
  // Unreadable headers are not a reason to lose the text.
  const hosts = v.safeParse(LogChunk.entries.hosts, message.headers.get(logHeaders.hosts).split(","));
  const machine = v.safeParse(LogChunk.entries.machine, message.headers.get(logHeaders.machine));
  const number = (text: string | undefined): number => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : -1);
  const result = v.safeParse(LogChunk, {
    build,
    log: number(log),
    index: number(message.headers.get(logHeaders.index)),
    drvPath: message.headers.get(logHeaders.drvPath),
    kind: message.headers.get(logHeaders.kind),
    ...(hosts.success ? { hosts: hosts.output } : {}),
    ...(machine.success ? { machine: machine.output } : {}),
    dropped: number(message.headers.get(logHeaders.dropped)),
    text: new TextDecoder().decode(message.data),
  });
  return result.success ? result.output : undefined;
}
