// Upstream's newest lock, without the inputs that are out of reach: one that is down keeps no other from its update.
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { updatableInputs } from "../nix/lock/flake-lock-diff.ts";
import { parseFlakeLock } from "../nix/lock/flake-lock.ts";

/** An input of the flake itself, or one of its inputs, cannot be reached; the same update without it may work. */
export class InputUnavailableError extends HomelabError {
  override readonly name = "InputUnavailableError";
  readonly input: string;

  /** @param kind `refused` when its remote does not let us in */
  constructor(
    input: string,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown },
    kind: "unavailable" | "refused" = "unavailable",
  ) {
    super(kind, message, { code: "INPUT_UPDATE_FAILED", ...options });
    this.input = input;
  }
}

/** It stays as the base has it. */
export interface UnavailableInput {
  readonly input: string;
  /** In a line. Has text from outside. */
  readonly reason: string;
}

export interface ReachableUpdate {
  readonly lock: string;
  readonly unavailable: readonly UnavailableInput[];
}

export interface UpdateReachableOptions {
  /** The lock with these inputs updated, or all. @throws InputUnavailableError */
  readonly update: (inputs: readonly string[] | undefined) => Promise<string>;
  /** The base's; without one nothing can stay as it is. */
  readonly baseLock: string | undefined;
  /** All without it. */
  readonly inputs: readonly string[] | undefined;
  readonly log: Log;
}

const reasonLength = 500;

/** @throws HomelabError that of the last input, when none can be reached, and every other at once. */
export async function updateReachable({
  update,
  baseLock,
  inputs,
  log,
}: UpdateReachableOptions): Promise<ReachableUpdate> {
  const unavailable: UnavailableInput[] = [];
  let wanted = inputs;
  for (;;) {
    try {
      return { lock: await update(wanted), unavailable };
    } catch (error) {
      if (!(error instanceof InputUnavailableError) || baseLock === undefined) throw error;
      const { input, message } = error;
      const asked: readonly string[] = wanted ?? updatableInputs(parseFlakeLock(baseLock));
      wanted = asked.filter((name) => name !== input);
      if (wanted.length === 0 || wanted.length === asked.length) throw error;
      unavailable.push({ input, reason: message.slice(0, reasonLength).toWellFormed() });
      log.warn({ input, err: error }, "an input is out of reach and stays as it is");
    }
  }
}
