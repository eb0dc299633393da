import type { Log } from "../base/log.ts";

/** Undefined, with a warning, for what does not decode: one bad message must not hide the others. */
export function readable<T>(log: Log, decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    log.warn({ err: error }, "a stored message cannot be read and is left out");
    return undefined;
  }
}
