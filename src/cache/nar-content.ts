// Reads and hashes the whole NAR as it arrives, without keeping any of it.
import { createHash } from "node:crypto";
import type { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { messageOf } from "../base/errors.ts";
import { sha256Of, type Sha256 } from "../protocol/store-paths/sha256.ts";
import { headerOf, isCutShort, type Answer } from "../narinfo/answers.ts";
import { CutOffError, UnusableAnswerError, type CacheClient } from "../narinfo/cache-client.ts";
import { webPageInstead, type NarFault } from "./nar-start.ts";
import type { NarInfo } from "../narinfo/narinfo.ts";

/** What Node can take apart; xz and bzip2 it cannot. */
const decoders: Readonly<Record<string, () => Transform>> = {
  zstd: () => zlib.createZstdDecompress(),
  gzip: () => zlib.createGunzip(),
  br: () => zlib.createBrotliDecompress(),
};

/** An answer that is slower than this does not count as one. */
const slowestBytesPerSecond = 128 * 1024;

export type ContentJudgement =
  | { readonly type: "proven" }
  /** The NAR is compressed in a way that cannot be undone here; what is served has the size and hash that are said about it. */
  | { readonly type: "served-as-said" }
  | { readonly type: "fault"; readonly fault: NarFault };

/**
 * Downloads the NAR, and compares its size and hash with what the narinfo says.
 *
 * @throws HomelabError `unavailable` with code `CACHE_UNREACHABLE`
 */
export async function judgeNarContent(
  client: CacheClient,
  narInfo: NarInfo,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ContentJudgement> {
  const { url, compression, narSize, narHash, fileSize, fileHash } = narInfo;
  const decoder = compression === "none" ? undefined : decoders[compression];
  const isReadable = compression === "none" || decoder !== undefined;
  const expectedSize = isReadable ? narSize : fileSize;
  const expectedHash = isReadable ? narHash : fileHash;
  const fault = (detail: string): ContentJudgement => ({
    type: "fault",
    fault: { problem: "corrupt", detail },
  });
  if (expectedSize === undefined || expectedHash === undefined)
    return fault(`its NAR is compressed with ${compression}, and nothing tells what its content should be`);
  try {
    const {
      status,
      result,
      isWebPage = false,
    } = await client.stream(
      url,
      {
        timeoutMs: timeoutMs + (expectedSize / slowestBytesPerSecond) * 1000,
        // What Nix itself asks for, and what hosts get.
        acceptEncoding: "zstd, gzip",
        read: async (answer) => digestOf(answer, decoder?.(), expectedSize),
      },
      signal,
    );
    if (result === undefined) {
      const isMissing = status === 404 || status === 410;
      const detail = isMissing
        ? `its NAR is not there (HTTP ${status})`
        : `its NAR is refused (HTTP ${status})`;
      return { type: "fault", fault: { problem: isMissing ? "missing" : "refused", detail } };
    }
    const isOther = result.size !== expectedSize || result.hash !== expectedHash;
    if (isOther && isWebPage) return { type: "fault", fault: { problem: "refused", detail: webPageInstead } };
    if (result.size !== expectedSize)
      return fault(
        `its NAR has ${sizeText(result.size, expectedSize)} bytes and should have ${expectedSize}`,
      );
    if (result.hash !== expectedHash)
      return fault(`the content of its NAR is ${result.hash} and should be ${expectedHash}`);
    return { type: isReadable ? "proven" : "served-as-said" };
  } catch (error) {
    if (error instanceof CutOffError || error instanceof UnusableAnswerError) return fault(error.message);
    throw error;
  }
}

const sizeText = (size: number, expected: number): string =>
  size > expected ? `more than ${expected}` : `${size}`;

interface Digest {
  readonly size: number;
  readonly hash: Sha256;
}

/** Reads at most one piece more than is expected. */
async function digestOf(
  answer: Answer<Readable>,
  decoder: Transform | undefined,
  expectedSize: number,
): Promise<Digest> {
  const encoding = headerOf(answer, "content-encoding") ?? "identity";
  const transport = encoding === "identity" ? undefined : decoders[encoding]?.();
  if (encoding !== "identity" && transport === undefined)
    throw new UnusableAnswerError(`its NAR comes encoded as ${encoding}, which was not asked for`);
  const hash = createHash("sha256");
  let read = 0;
  let size = 0;
  answer.body.on("data", (chunk: Buffer) => (read += chunk.byteLength));
  const sink = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) {
      size += chunk.byteLength;
      if (size > expectedSize) break;
      hash.update(chunk);
    }
  };
  try {
    const steps = [transport, decoder].filter((step) => step !== undefined);
    await runPipeline(answer.body, steps, sink);
  } catch (error) {
    // A NAR that is too long is not read to its end.
    if (size <= expectedSize) throw readingFault(error, read);
  }
  return { size, hash: sha256Of(hash.digest()) };
}

function readingFault(error: unknown, bytes: number): unknown {
  if (isCutShort(error)) return new CutOffError(`its NAR ends after ${bytes} bytes`);
  // zlib's own (Z_DATA_ERROR) and those of the others (ZSTD_error_…, ERR_…).
  const isDecoding = error instanceof Error && "code" in error && /^(?:Z|ERR_)/.test(String(error.code));
  return isDecoding ? new UnusableAnswerError(`its NAR cannot be decompressed: ${messageOf(error)}`) : error;
}

async function runPipeline(
  source: Readable,
  steps: readonly Transform[],
  sink: (source: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const [first, second] = steps;
  if (first === undefined) return pipeline(source, sink);
  return second === undefined ? pipeline(source, first, sink) : pipeline(source, first, second, sink);
}
