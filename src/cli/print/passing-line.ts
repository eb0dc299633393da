import type { TextOutput } from "./renderer.ts";

const clear = "\r\u001b[K";

/** A line that stands on a terminal until it is disposed of: what is waited for. Elsewhere nothing is written. */
export function showPassingLine(text: string, err: TextOutput): Disposable {
  const isTerminal = err.isTTY === true;
  if (isTerminal) err.write(text);
  return {
    [Symbol.dispose]() {
      if (isTerminal) err.write(clear);
    },
  };
}
