import type { Readable } from "node:stream";

/** More than a pipe or a socket pair holds, so what a program wrote before its end always fits. */
const maxBytesAfterEnd = 1024 * 1024;
const checkEveryMs = 50;

export interface PipeReading {
  /** Resolves when the pipe has ended and everything was consumed. Rejects when consuming failed. */
  readonly finished: Promise<void>;
  /**
   * The program has ended: reads what it left in the pipe, and does not wait longer than this for the pipe's end,
   * which never comes when something else inherited it. The time in which the consumer is busy does not count.
   */
  finishWithin(milliseconds: number): void;
  /** Reads no more. */
  stop(): void;
}

/** Reads a pipe; while the promise of `consume` is pending nothing more is read. */
export function readPipe(pipe: Readable, consume: (chunk: Buffer) => void | Promise<void>): PipeReading {
  let waiting = true;
  let stopped = false;
  let ended = false;
  let bytesAfterEnd: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  const stop = (): void => {
    stopped = true;
    pipe.destroy();
  };

  async function read(): Promise<void> {
    try {
      for await (const chunk of pipe as AsyncIterable<Buffer>) {
        waiting = false;
        await consume(chunk);
        waiting = true;
        if (bytesAfterEnd !== undefined) bytesAfterEnd += chunk.byteLength;
        if (bytesAfterEnd !== undefined && bytesAfterEnd > maxBytesAfterEnd) stop();
        if (stopped) break;
      }
    } catch (error) {
      // A pipe that we destroyed ends with an error; so does consuming, but then `waiting` is false.
      if (!stopped || !waiting) throw error;
    } finally {
      ended = true;
      clearInterval(timer);
    }
  }

  return {
    finished: read(),
    finishWithin(milliseconds) {
      if (ended) return;
      bytesAfterEnd = 0;
      let left = milliseconds;
      timer = setInterval(() => {
        if (waiting) left -= checkEveryMs;
        if (left <= 0) stop();
      }, checkEveryMs);
    },
    stop,
  };
}
