import { isBug } from "./errors.ts";

/**
 * What a daemon says about itself: a fixed message, and the data in fields. Never a secret, never log text of builds.
 * What was thrown is the field `err`, whole, so that its stack is not lost.
 */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** For commands that show everything that matters in another way. */
export const silentLog: Log = { info() {}, warn() {}, error() {}, debug() {} };

export interface BugWatch {
  readonly log: Log;
  /** Bugs that were logged since the start. */
  count(): number;
}

/**
 * Whatever a part of the program makes of an error that it catches, a bug among them is an error in the log and is
 * counted: `err` is where all of them pass.
 */
export function watchBugs(log: Log): BugWatch {
  let count = 0;
  const watched =
    (level: keyof Log): Log[keyof Log] =>
    (fields, message) => {
      if (!("err" in fields) || !isBug(fields["err"])) return log[level](fields, message);
      count++;
      log.error({ bug: true, ...fields }, message);
    };
  return {
    log: { info: watched("info"), warn: watched("warn"), error: watched("error"), debug: watched("debug") },
    count: () => count,
  };
}
