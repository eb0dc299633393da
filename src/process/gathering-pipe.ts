import { closeSync, constants, open } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import type { Exec, ExecOptions } from "./exec.ts";

/** As much as a pipe holds (pipe(7)). */
const pipeBytes = 64 * 1024;
/** A read that gives less is followed by a pause. */
const smallBytes = 16 * 1024;
const pauseMs = 1;

/** A pipe that a program prints many short lines to. */
export interface GatheringPipe {
  readonly readable: Readable;
  /** The file descriptor for the program. */
  readonly writeEnd: number;
  /** Once the program has it: the pipe ends when nobody holds it any more. */
  closeWriteEnd(): void;
}

/**
 * A pipe whose lines gather for a millisecond before they are read. What Node gives a program to print to is a socket that is
 * read as soon as anything is in it: of a program that prints 100,000 lines a second almost each line is read alone,
 * and has to wake us, which takes both sides longer than all that is done with the line.
 *
 * @param directory where it has a name for a moment
 * @returns undefined where named pipes cannot be made
 */
export async function openGatheringPipe(
  exec: Exec,
  directory: string,
  { signal, env }: Pick<ExecOptions, "signal" | "env">,
): Promise<GatheringPipe | undefined> {
  const path = join(directory, "stderr");
  try {
    const made = await exec("mkfifo", ["-m", "600", path], { signal, env });
    if (made.exitCode !== 0) return undefined;
    // In this order neither waits for the other (fifo(7)).
    const readEnd = await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const readable = gather(readEnd);
    try {
      const writeEnd = await promisify(open)(path, constants.O_WRONLY);
      return { readable, writeEnd, closeWriteEnd: () => closeSync(writeEnd) };
    } catch (error) {
      readable.destroy();
      throw error;
    }
  } catch {
    signal.throwIfAborted();
    return undefined;
  } finally {
    await rm(path, { force: true });
  }
}

function gather(readEnd: number): Readable {
  let lastSize = 0;
  let timer: NodeJS.Timeout | undefined;
  const readable = new Readable({
    highWaterMark: 1,
    read() {
      if (lastSize >= smallBytes) socket.resume();
      else timer = setTimeout(() => socket.resume(), pauseMs);
    },
    destroy(error, done) {
      clearTimeout(timer);
      socket.destroy();
      done(error);
    },
  });
  const socket = new Socket({
    fd: readEnd,
    readable: true,
    writable: false,
    onread: {
      buffer: Buffer.allocUnsafe(pipeBytes),
      callback(size, buffer) {
        lastSize = size;
        return readable.push(Buffer.from(buffer.subarray(0, size)));
      },
    },
  });
  socket.pause();
  socket.once("end", () => readable.push(null));
  socket.once("error", (error) => readable.destroy(error));
  return readable;
}
