/** What a daemon says about itself: a fixed message, and the data in fields. Never a secret, never log text of builds. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** For commands that show everything that matters in another way. */
export const silentLog: Log = { info() {}, warn() {}, error() {}, debug() {} };
