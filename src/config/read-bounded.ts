import { open } from "node:fs/promises";

/** A file that was read, and who may read it. */
export interface ReadFile {
  readonly text: string;
  /** Permission bits, as `stat` gives them. */
  readonly mode: number;
}

/**
 * Reads a file, also one whose size is not known before, such as a pipe.
 *
 * @throws RangeError when it is larger; otherwise what the file system says.
 */
export async function readBounded(path: string, maxBytes: number): Promise<ReadFile> {
  await using file = await open(path, "r");
  const { mode } = await file.stat();
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  if (length > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
  return { text: buffer.toString("utf8", 0, length), mode };
}

/** Why a file could not be read, as a phrase. Never with its content. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "we may not read it";
    case "EISDIR":
      return "it is a directory";
    default:
      return typeof code === "string" ? code : "it cannot be read";
  }
}
