// Upstream's newest lock, without the inputs that cannot be reached: one that is down keeps no other from its update.
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/**
 * - `unavailable`: its remote cannot be reached, and the same may work later
 * - `refused`: its remote refuses our credentials
 * - `failed`: its remote answers, and what flake.nix asks for does not exist, or does not fit
 */
export type UnavailableKind = "unavailable" | "refused" | "failed";

interface UnavailableDetails {
  readonly hint?: string;
  readonly cause?: unknown;
  readonly reason?: string;
}

/** An input of the flake itself, or one of its inputs, cannot be had; the same update without it may work. */
export class InputUnavailableError extends HomelabError {
  override readonly name = "InputUnavailableError";
  /** Undefined where Nix continued with what it had fetched once, and does not say about which input that is. */
  readonly input: string | undefined;
  /** In a line, without the name of the input. */
  readonly reason: string;
  declare readonly kind: UnavailableKind;

  constructor(
    input: string | undefined,
    message: string,
    { reason = message, ...options }: UnavailableDetails,
    kind: UnavailableKind = "unavailable",
  ) {
    super(kind, message, { code: "INPUT_UPDATE_FAILED", ...options });
    this.input = input;
    this.reason = reason;
  }
}

/** It stays as the base has it. */
export interface UnavailableInput {
  readonly input: string;
  readonly kind: UnavailableKind;
  /** In a line. Has text from outside. */
  readonly reason: string;
  readonly hint?: string;
}

export interface ReachableUpdate {
  /** Undefined when none of the inputs can be reached. */
  readonly lock: string | undefined;
  /** By input: why it stays. */
  readonly unavailable: ReadonlyMap<string, InputUnavailableError>;
}

export interface UpdateReachableOptions {
  /** The lock with these inputs updated, or all. @throws InputUnavailableError */
  readonly update: (inputs: readonly string[] | undefined) => Promise<string>;
  /** The inputs that can stay as they are. */
  readonly names: () => Promise<readonly string[]>;
  /** All inputs if absent. */
  readonly inputs: readonly string[] | undefined;
  readonly log: Log;
}

/** @throws HomelabError for whatever is not the fault of single inputs, such as a flake.nix that cannot be read. */
export async function updateReachable(options: UpdateReachableOptions): Promise<ReachableUpdate> {
  const { update, names, inputs, log } = options;
  const unavailable = new Map<string, InputUnavailableError>();
  let wanted = inputs;
  for (;;) {
    try {
      return { lock: await update(wanted), unavailable };
    } catch (error) {
      if (!(error instanceof InputUnavailableError)) throw error;
      const asked: readonly string[] = wanted ?? (await names());
      const failing = await failingOf(update, asked, error);
      wanted = asked.filter((name) => !failing.has(name));
      // The base's lock does not have the one that fails, or alone each of them works.
      if (wanted.length === asked.length) throw error;
      for (const [input, cause] of failing) {
        unavailable.set(input, cause);
        log.warn({ input, err: cause }, "an input cannot be reached and stays as it is");
      }
      if (wanted.length === 0) return { lock: undefined, unavailable };
    }
  }
}

/** The inputs that made it fail. If Nix does not name them, each is queried alone. */
async function failingOf(
  update: UpdateReachableOptions["update"],
  asked: readonly string[],
  error: InputUnavailableError,
): Promise<ReadonlyMap<string, InputUnavailableError>> {
  const [only] = asked;
  const name = error.input ?? (asked.length === 1 ? only : undefined);
  if (name !== undefined) return new Map([[name, error]]);
  const failing = new Map<string, InputUnavailableError>();
  for (const input of asked) {
    try {
      await update([input]);
    } catch (cause) {
      if (!(cause instanceof InputUnavailableError)) throw cause;
      failing.set(cause.input ?? input, cause);
    }
  }
  return failing;
}

const reasonLength = 500;

export const unavailableInputs = (unavailable: ReachableUpdate["unavailable"]): readonly UnavailableInput[] =>
  [...unavailable].map(([input, { kind, reason, hint }]) => ({
    input,
    kind,
    reason: reason.slice(0, reasonLength).toWellFormed(),
    hint,
  }));

/** What to say when none can be reached: what may pass by itself, so that the same is retried, before the rest. */
export const worstOf = (errors: readonly InputUnavailableError[]): HomelabError =>
  errors.findLast(({ kind }) => kind === "unavailable") ??
  errors.at(-1) ??
  new HomelabError("unavailable", "no input can be reached", { code: "INPUT_UPDATE_FAILED" });
