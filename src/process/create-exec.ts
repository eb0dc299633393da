import type { ChildProcess } from "node:child_process";
import { execa } from "execa";
import { type Clock, systemClock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { Exec, ExecOptions } from "./exec.ts";
import { openGatheringPipe } from "./gathering-pipe.ts";
import { createProcessFamily, type ProcessFamily } from "./process-family.ts";
import { readPipe } from "./read-pipe.ts";

const stderrTailBytes = 64 * 1024;
const defaultMaxStdoutBytes = 64 * 1024 * 1024;
const defaultGraceMs = 5_000;
/** How long a pipe may stay open after the program that wrote to it has ended. */
const drainMs = 2_000;
const lookEveryMs = 100;

interface Exit {
  readonly exitCode: number | undefined;
  readonly killedBy: string | undefined;
}

/** Why a program is ended before its own end. */
type Stop =
  | { readonly type: "aborted" }
  | { readonly type: "timed-out" }
  | { readonly type: "error"; readonly error: unknown };

/**
 * Runs programs of this machine.
 *
 * @param marks variables for every program, besides its own: see `ownerEnvironment`
 */
export function createExec(clock: Clock = systemClock, marks: Readonly<Record<string, string>> = {}): Exec {
  const exec: Exec = async (file, args, given) => {
    const options = { ...given, env: { ...given.env, ...marks } };
    const { signal, stderrPipeDirectory } = options;
    signal.throwIfAborted();
    const pipe =
      stderrPipeDirectory === undefined
        ? undefined
        : await openGatheringPipe(exec, stderrPipeDirectory, options);
    if (signal.aborted) {
      pipe?.closeWriteEnd();
      pipe?.readable.destroy();
      throw signal.reason;
    }
    const program = start(file, args, options, pipe?.writeEnd);
    const exit = exitOf(program.nodeChildProcess);
    pipe?.closeWriteEnd();
    const { pid, stdout: stdoutPipe } = program;
    const stderrPipe = pipe?.readable ?? program.stderr;
    if (pid === undefined || stderrPipe === null) {
      pipe?.readable.destroy();
      throw cannotStart(file, await program);
    }

    options.onStarted?.(pid);
    const family = createProcessFamily(pid, options.ownedDirectory, clock);
    const { promise: stopped, resolve: stop } = Promise.withResolvers<Stop>();
    const over = new AbortController();
    const onAbort = (): void => stop({ type: "aborted" });
    signal.addEventListener("abort", onAbort, { once: true });
    startTimeout(clock, options.timeoutMs, over.signal, () => stop({ type: "timed-out" }));

    const stdout = collect(file, options.maxStdoutBytes ?? defaultMaxStdoutBytes);
    const tail = createByteTail(stderrTailBytes);
    const readings = [
      readPipe(stdoutPipe, options.onStdout ?? stdout.write),
      readPipe(stderrPipe, (chunk) => {
        tail.write(chunk);
        return options.onStderr?.(chunk);
      }),
    ];
    const drained = Promise.all(readings.map(async ({ finished }) => finished));
    drained.catch((error: unknown) => stop({ type: "error", error }));

    try {
      let reason = await Promise.race([exit.then(() => undefined), stopped]);
      if (reason !== undefined) await endFamily(program.nodeChildProcess, family, graceOf(options), clock);
      else if (options.ownedDirectory !== undefined) await family.killAll();
      const { exitCode, killedBy } = await exit;

      for (const reading of readings) reading.finishWithin(drainMs);
      if (reason === undefined) {
        reason = await Promise.race([drained.then(() => undefined), stopped]);
      } else {
        // Nobody wants the rest any more: not even a consumer that never finishes may hold us up.
        await Promise.race([
          drained.catch(() => undefined),
          clock.sleep(drainMs, over.signal).catch(() => undefined),
        ]);
      }
      if (reason?.type === "aborted") throw signal.reason;
      if (reason?.type === "error") throw reason.error;
      return {
        exitCode,
        killedBy,
        timedOut: reason?.type === "timed-out",
        stdout: stdout.text(),
        stderrTail: tail.text(),
      };
    } finally {
      over.abort();
      signal.removeEventListener("abort", onAbort);
      for (const reading of readings) reading.stop();
    }
  };
  return exec;
}

const graceOf = ({ graceMs = defaultGraceMs }: ExecOptions): number =>
  typeof graceMs === "number" ? graceMs : graceMs();

type Program = ReturnType<typeof start>;

function start(
  file: string,
  args: readonly string[],
  { env, cwd }: ExecOptions,
  stderr: number | "pipe" = "pipe",
) {
  return execa(file, args, {
    env,
    extendEnv: false,
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    // The types of execa know no higher file descriptors.
    stderr: stderr as 9 | "pipe",
    buffer: false,
    reject: false,
    // Makes it the leader of its own session, by which what it leaves behind is found.
    killDescendants: true,
  });
}

/** SIGTERM to the program alone, so that it can end its own children in order; whatever is left is killed. */
async function endFamily(
  program: ChildProcess,
  family: ProcessFamily,
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const hasEnded = (): boolean => program.exitCode !== null || program.signalCode !== null;
  const deadline = clock.monotonic() + graceMs;
  family.look();
  if (!hasEnded() && program.pid !== undefined) process.kill(program.pid, "SIGTERM");
  const exit = exitOf(program);
  while (!hasEnded() && clock.monotonic() < deadline) {
    await Promise.race([exit, clock.sleep(Math.min(lookEveryMs, deadline - clock.monotonic()))]);
    // Again and again: what it starts now would be lost from sight when it ends.
    family.look();
  }
  await family.killAll();
}

async function exitOf(program: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    program.once("exit", (exitCode: number | null, killedBy: string | null) => {
      resolve({ exitCode: exitCode ?? undefined, killedBy: killedBy ?? undefined });
    });
  });
}

function startTimeout(
  clock: Clock,
  timeoutMs: number | undefined,
  over: AbortSignal,
  onTimeout: () => void,
): void {
  if (timeoutMs !== undefined) clock.sleep(timeoutMs, over).then(onTimeout, () => undefined);
}

interface BoundedText {
  /** @throws HomelabError `failed` with code `OUTPUT_TOO_LARGE`. */
  readonly write: (chunk: Buffer) => void;
  readonly text: () => string;
}

function collect(file: string, maxBytes: number): BoundedText {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    write(chunk) {
      size += chunk.byteLength;
      if (size > maxBytes) {
        throw new HomelabError("failed", `${file} wrote more than ${maxBytes} bytes to its output`, {
          code: "OUTPUT_TOO_LARGE",
        });
      }
      chunks.push(chunk);
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}

function cannotStart(file: string, { code, shortMessage }: Awaited<Program>): HomelabError {
  return new HomelabError(
    "unavailable",
    code === "ENOENT" ? `${file} is not installed, or not in PATH` : `${file} cannot be started`,
    {
      code: "PROGRAM_MISSING",
      hint: `install ${file}, or put its directory into PATH`,
      cause: new Error(shortMessage ?? code ?? "unknown reason"),
    },
  );
}

/** Keeps the last bytes of a stream. */
interface ByteTail {
  write(chunk: Buffer): void;
  text(): string;
}

function createByteTail(maxBytes: number): ByteTail {
  let chunks: Buffer[] = [];
  let size = 0;

  const compact = (): void => {
    const whole = Buffer.concat(chunks);
    // A copy, so that a large chunk is not kept alive by its end.
    chunks = [Buffer.from(whole.subarray(Math.max(0, whole.byteLength - maxBytes)))];
    size = chunks[0]?.byteLength ?? 0;
  };

  return {
    write(chunk) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > 2 * maxBytes) compact();
    },
    text() {
      compact();
      return chunks[0]?.toString("utf8") ?? "";
    },
  };
}
