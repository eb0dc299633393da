// How every other folder runs a program. `createExec` (create-exec.ts) is the real one; tests pass their own.

export interface ExecOptions {
  /** Aborting ends the program and all its descendants: SIGTERM, a grace, SIGKILL. */
  readonly signal: AbortSignal;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Our own deadline; the result then says `timedOut`. */
  readonly timeoutMs?: number;
  /** Between SIGTERM and SIGKILL, asked for when it is to be ended. Default 5,000. */
  readonly graceMs?: number | (() => number);
  /** More than this on stdout ends the program with an error (`OUTPUT_TOO_LARGE`). Default 64 MiB. */
  readonly maxStdoutBytes?: number;
  /** Gets stdout as it comes, like `onStderr`; the result then has none, and its size has no limit. */
  readonly onStdout?: (chunk: Uint8Array) => void | Promise<void>;
  /**
   * Gets stderr as it comes. While the returned promise is pending nothing more is read: that is how a slow
   * consumer slows the program instead of filling our memory.
   */
  readonly onStderr?: (chunk: Uint8Array) => void | Promise<void>;
  /** For a program that prints many lines to stderr: a directory where the pipe for them can be made. */
  readonly stderrPipeDirectory?: string;
  /** Called with the process id, once the program runs. */
  readonly onStarted?: (pid: number) => void;
  /** A directory that only this program uses: a descendant that escaped its session is found by it and ended. */
  readonly ownedDirectory?: string;
}

/** Facts about a program that ran. A non-zero exit code is a fact, not an exception. */
export interface ExecResult {
  readonly exitCode: number | undefined;
  /** The signal that ended it, when one did: `SIGKILL`. */
  readonly killedBy: string | undefined;
  readonly timedOut: boolean;
  readonly stdout: string;
  /** The last 64 KiB of stderr. */
  readonly stderrTail: string;
}

/**
 * Runs a program from PATH of `env` with stdin closed and no shell.
 *
 * @throws the signal's reason when it aborts, once nothing of the program is left; HomelabError `unavailable`
 *   with code `PROGRAM_MISSING` when it cannot be started.
 */
export type Exec = (file: string, args: readonly string[], options: ExecOptions) => Promise<ExecResult>;
