/** The body is larger than we are ready to hold. */
export class OversizedBodyError extends Error {
  override readonly name = "OversizedBodyError";
}

/**
 * The text of a body, read only as far as `maxBytes`.
 *
 * @throws OversizedBodyError when it is larger; the rest is not read.
 */
export async function readBoundedBody(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream, which ends the connection.
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new OversizedBodyError(`its body has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
