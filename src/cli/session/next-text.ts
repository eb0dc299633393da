// What a person types at the terminal.
import type { KeyInput } from "../context.ts";

/**
 * The next text from the terminal: a key while it is raw, a line otherwise; "" at the end of the input.
 *
 * @throws the signal's reason
 */
export async function nextText(input: KeyInput, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onData = (data: Buffer): void => resolve(data.toString("utf8"));
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  input.on("data", onData);
  input.once?.("end", () => resolve(""));
  input.resume();
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    input.off("data", onData);
    input.pause();
  }
}
