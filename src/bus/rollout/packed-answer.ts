// An answer of the deployer as it is sent: packed by gzip where NATS would not take it as it is, as the plan of thousands of
// hosts.
import { gunzipSync, gzipSync } from "node:zlib";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { maxAnswerBytes, maxSentAnswerBytes } from "../../protocol/rollout/start-request.ts";

/** Undefined where it is too large in any case. */
export function packAnswer(data: Uint8Array): Uint8Array | undefined {
  if (data.byteLength <= maxSentAnswerBytes) return data;
  if (data.byteLength > maxAnswerBytes) return undefined;
  const packed = gzipSync(data);
  return packed.byteLength <= maxSentAnswerBytes ? packed : undefined;
}

/** @throws HomelabError `usage` `BAD_MESSAGE` for what cannot be unpacked, or is larger than any answer */
export function unpackAnswer(data: Uint8Array): Uint8Array {
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data;
  try {
    return gunzipSync(data, { maxOutputLength: maxAnswerBytes });
  } catch (error) {
    throw new HomelabError("usage", `the answer of the deployer cannot be unpacked: ${messageOf(error)}`, {
      code: "BAD_MESSAGE",
      cause: error,
    });
  }
}
