/** Keeps the last bytes of a stream. */
export interface ByteTail {
  write(chunk: Buffer): void;
  text(): string;
}

export function createByteTail(maxBytes: number): ByteTail {
  let chunks: Buffer[] = [];
  let size = 0;

  const compact = (): void => {
    const whole = Buffer.concat(chunks);
    // A copy, so that a large chunk is not kept alive by its end.
    chunks = [Buffer.from(whole.subarray(Math.max(0, whole.byteLength - maxBytes)))];
    size = chunks[0]?.byteLength ?? 0;
  };

  return {
    write(chunk) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > 2 * maxBytes) compact();
    },
    text() {
      compact();
      return chunks[0]?.toString("utf8") ?? "";
    },
  };
}
