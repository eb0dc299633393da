import { open } from "node:fs/promises";
import { hasCode } from "../errors.ts";

/** A file that was read, and who may read it. */
export interface ReadFile {
  readonly text: string;
  /** Permission bits, as `stat` gives them. */
  readonly mode: number;
}

/** A file is larger than it may be. */
export class OversizedFileError extends Error {
  override readonly name = "OversizedFileError";
}

/**
 * Reads a file, also one whose size is not known before, such as a pipe.
 *
 * @throws OversizedFileError when it is larger; otherwise what the file system says.
 */
export async function readBounded(path: string, maxBytes: number): Promise<ReadFile> {
  const { bytes, mode } = await readBytesBounded(path, maxBytes);
  return { text: bytes.toString("utf8"), mode };
}

/** The same, without decoding it as text. */
export async function readBytesBounded(
  path: string,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  await using file = await open(path, "r");
  const { mode } = await file.stat();
  // One byte more, to see that there is one.
  const chunks: Buffer[] = await Array.fromAsync(file.createReadStream({ end: maxBytes, autoClose: false }));
  const bytes = Buffer.concat(chunks);
  if (bytes.length > maxBytes) throw new OversizedFileError(`it has more than ${maxBytes} bytes`);
  return { bytes, mode };
}

const maxMemoryBytes = 64 * 1024 * 1024;

/** The text of a file that is only a memory: empty when it is missing, cannot be read, or has grown above 64 MiB. */
export const readIfSmall = async (path: string): Promise<string> =>
  readBounded(path, maxMemoryBytes).then(
    ({ text }) => text,
    () => "",
  );

/** Why a file could not be read, as a phrase. Never with its content. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof OversizedFileError) return error.message;
  if (hasCode(error, "ENOENT")) return "there is no such file";
  if (hasCode(error, "EACCES", "EPERM")) return "permission denied";
  if (hasCode(error, "EISDIR")) return "it is a directory";
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "it cannot be read";
}
