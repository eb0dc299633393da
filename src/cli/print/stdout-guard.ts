import { hasCode } from "../../base/errors.ts";

/** What we need of a stream to notice that nobody reads it any more. */
export interface GuardedStream {
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Calls back when the reader of a pipe has gone (`… | head`), which is not an error of ours: the program ends
 * quietly with exit code 0. Any other error of the stream is thrown, and ends the program as a bug.
 */
export function guardStream(stream: GuardedStream, onClosed: () => void): void {
  let closed = false;
  stream.on("error", (error) => {
    if (!hasCode(error, "EPIPE")) throw error;
    if (closed) return;
    closed = true;
    onClosed();
  });
}
