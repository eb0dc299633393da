import { hasCode, HomelabError } from "../../base/errors.ts";

/** What we need of a stream to notice that nobody reads it any more. */
export interface GuardedStream {
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Calls back when the reader of a pipe has gone (`… | head`), which is not an error of ours: the program ends
 * quietly with exit code 0; and when the stream cannot be written for another reason, such as a full disk.
 */
export function guardStream(
  stream: GuardedStream,
  onClosed: () => void,
  onBroken: (error: HomelabError) => void,
): void {
  let over = false;
  stream.on("error", (error) => {
    if (over) return;
    over = true;
    if (hasCode(error, "EPIPE")) onClosed();
    else {
      onBroken(
        new HomelabError("unavailable", "the output cannot be written", {
          hint: "see whether there is room where it goes to; what was asked for may have been done",
          cause: error,
        }),
      );
    }
  });
}
