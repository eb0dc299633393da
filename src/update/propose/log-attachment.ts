// A whole log as a file that a forge keeps: redacted, bounded and compressed.
import { StringDecoder } from "node:string_decoder";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { LineSplitter } from "../../base/lines.ts";
import { visibleText } from "../../base/markdown-text.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import { createRedactor } from "../../redact/redact.ts";

/** The limit for the text before compression. A longer log keeps only its first and last lines. */
const maxBytes = 5 * 1024 * 1024;
const headLines = 200;
const tailLines = 2_000;
const maxLineLength = 64 * 1024;

export interface LogAttachment {
  /** Only letters, digits and `._-`, ends in `.log.gz`. */
  readonly name: string;
  /** The same log gives the same bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface LogAttachmentWriter {
  /** Memory is bounded, however long the log is. */
  write(chunk: Uint8Array): void;
  end(): Promise<LogAttachment>;
}

/**
 * @param name see `attachmentName`
 * @param secrets to be taken out, see `createRedactor`
 */
export function createLogAttachment(name: string, secrets: readonly string[]): LogAttachmentWriter {
  const decoder = new StringDecoder("utf8");
  const kept = createKeptLines();
  // Once as it was printed, before long lines are cut, and once as it is seen: colours can stand inside a secret.
  const printed = createRedactor(secrets);
  const seen = createRedactor(secrets);
  const seenLines = new LineSplitter(2 * maxLineLength, kept.add);
  const printedLines = new LineSplitter(maxLineLength, (line) =>
    seenLines.write(Buffer.from(seen.write(`${visibleText(line)}\n`))),
  );

  return {
    write(chunk) {
      printedLines.write(Buffer.from(printed.write(decoder.write(Buffer.from(chunk)))));
    },
    async end() {
      printedLines.write(Buffer.from(printed.write(decoder.end()) + printed.end()));
      printedLines.end();
      seenLines.write(Buffer.from(seen.end()));
      seenLines.end();
      return { name, bytes: new Uint8Array(await promisify(gzip)(kept.end())) };
    },
  };
}

interface KeptLines {
  add(line: string): void;
  end(): string;
}

/** All lines while they fit; otherwise only the first and the last ones, within the same limit. */
function createKeptLines(): KeptLines {
  const head: string[] = [];
  let headBytes = 0;
  let tail: string[] = [];
  let bytes = 0;
  let omittedLines = 0;
  const sizeOf = (line: string): number => Buffer.byteLength(line) + 1;

  function shrink(): void {
    let from = Math.max(0, tail.length - tailLines);
    let left = bytes - headBytes - tail.slice(0, from).reduce((sum, line) => sum + sizeOf(line), 0);
    for (; from < tail.length && headBytes + left > maxBytes / 2; from++) left -= sizeOf(tail[from] ?? "");
    omittedLines += from;
    tail = tail.slice(from);
    bytes = headBytes + left;
  }

  return {
    add(line) {
      const size = sizeOf(line);
      bytes += size;
      if (omittedLines === 0 && head.length < headLines && headBytes + size <= maxBytes / 4) {
        head.push(line);
        headBytes += size;
        return;
      }
      tail.push(line);
      if (bytes > maxBytes) shrink();
    },
    end() {
      if (omittedLines > 0 && tail.length > tailLines) {
        omittedLines += tail.length - tailLines;
        tail = tail.slice(-tailLines);
      }
      const gap = omittedLines === 0 ? [] : [`[… ${omittedLines} lines left out …]`];
      return [...head, ...gap, ...tail].map((line) => `${line}\n`).join("");
    },
  };
}

/**
 * `web-openssl-3.0.14-a1b2c3d4.log.gz`: of the host, the derivation's name and the start of its hash, so that two of
 * the same name have different files.
 */
export function attachmentName(host: string, drvPath: string): string {
  const hash = drvPath.slice(drvPath.lastIndexOf("/") + 1);
  return `${safePart(host, 60)}-${safePart(derivationName(drvPath), 100)}-${safePart(hash, 8)}.log.gz`;
}

const safePart = (text: string, maxLength: number): string =>
  text
    .replaceAll(/[^A-Za-z0-9._-]/g, "_")
    .replaceAll(/\.{2,}/g, "_")
    .slice(0, maxLength)
    .replaceAll(/^[.-]+|\.+$/g, "") || "unknown";
