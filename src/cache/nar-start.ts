// The first bytes of a NAR: that they come, and look like one, says that the cache has the file and can open it.
import type { CacheAnswer } from "../narinfo/cache-answer.ts";
import type { NarInfo } from "../narinfo/narinfo.ts";

/** Enough for the longest of the signatures below. */
export const narStartBytes = 32;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** How each form of a NAR begins; of others nothing is known. */
const beginnings: ReadonlyMap<string, Uint8Array> = new Map([
  // The magic string with its length before it (nix/src/libutil/archive.cc).
  ["none", Uint8Array.from([13, 0, 0, 0, 0, 0, 0, 0, ...text("nix-archive-1"), 0, 0, 0])],
  ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)],
  ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
  ["gzip", Uint8Array.of(0x1f, 0x8b)],
  ["bzip2", text("BZh")],
]);

export interface NarFault {
  readonly problem: "missing" | "corrupt" | "refused";
  readonly detail: string;
}

export const webPageInstead = "a web page is served in place of its NAR";

/** The problem with the NAR, according to the answer to the request for its first bytes; undefined if there is none. */
export function judgeNarStart(
  { compression, fileSize, narSize }: Pick<NarInfo, "compression" | "fileSize" | "narSize">,
  { status, body, isCutOff, totalBytes, isWebPage = false }: CacheAnswer,
): NarFault | undefined {
  if (status === 404 || status === 410)
    return { problem: "missing", detail: `its NAR is not there (HTTP ${status})` };
  if (status !== 200 && status !== 206)
    return { problem: "refused", detail: `its NAR is refused (HTTP ${status})` };
  const beginning = beginnings.get(compression);
  const isOther = beginning?.some((byte, index) => body[index] !== byte) ?? false;
  if (isOther && isWebPage) return { problem: "refused", detail: webPageInstead };
  if (isCutOff && body.byteLength < narStartBytes)
    return { problem: "corrupt", detail: `its NAR ends after ${body.byteLength} bytes` };
  if (isOther) return { problem: "corrupt", detail: "what is served as its NAR is not a NAR" };
  const expected = compression === "none" ? narSize : fileSize;
  if (expected !== undefined && totalBytes !== undefined && totalBytes !== expected)
    return { problem: "corrupt", detail: `its NAR has ${totalBytes} bytes and should have ${expected}` };
  return undefined;
}
