// What a daemon says about itself: one JSON object a line on standard output, for the journal.
import { pino } from "pino";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

export function createDaemonLog(destination: { write(text: string): unknown }, debug: boolean): Log {
  return pino(
    {
      base: null,
      level: debug ? "debug" : "info",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
    },
    { write: (text) => void destination.write(text) },
  );
}

/** An error can quote what programs print. */
const longestMessage = 8 * 1024;
const longestStack = 16 * 1024;

/**
 * Message and stack, with those of the causes, as pino joins them. Nothing else that an error carries: requests and
 * results of programs would be in the log otherwise.
 */
function errorFields(thrown: unknown): object {
  if (!(thrown instanceof Error))
    return { type: typeof thrown, message: String(thrown).slice(0, longestMessage) };
  const { type, message, stack } = pino.stdSerializers.err(thrown);
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  return {
    type,
    message: message.slice(0, longestMessage),
    code,
    hint: thrown instanceof HomelabError ? thrown.hint : undefined,
    stack: stack.slice(0, longestStack),
  };
}
