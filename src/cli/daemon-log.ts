// What a daemon says of itself: one JSON object a line on standard output, for the journal.
import { pino } from "pino";
import type { Log } from "../base/log.ts";

export function createDaemonLog(destination: { write(text: string): unknown }, debug: boolean): Log {
  return pino(
    {
      base: null,
      level: debug ? "debug" : "info",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (text) => void destination.write(text) },
  );
}
