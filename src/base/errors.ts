// Errors that a person can act on. Anything else that is thrown is a bug.

/**
 * Who can do something about it. The kind alone decides the exit code and whether a daemon retries.
 *
 * - `usage`: the command line, or a name in it, is wrong
 * - `config`: a configuration file or setting is wrong
 * - `failed`: it ran, and the thing itself failed (a host does not build)
 * - `unavailable`: something we need cannot be reached or broken; the same call may work later
 * - `refused`: not permitted, or against policy
 * - `bug`: a bug in homelab-deploy that another of its processes met and reported
 */
export type ErrorKind = "usage" | "config" | "failed" | "unavailable" | "refused" | "bug";

/** The code of a bug in homelab-deploy: in events, in `--json`, and in docs/reference/errors.md. */
export const internalCode = "INTERNAL" as const;

export interface ErrorDetails {
  /** Stable, upper snake case, documented in docs/reference/errors.md. */
  readonly code?: string;
  /** What to do about it: one sentence, ideally a command. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class HomelabError extends Error {
  override readonly name: string = "HomelabError";
  readonly kind: ErrorKind;
  readonly code: string | undefined;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.kind = kind;
    this.code = details.code;
    this.hint = details.hint;
  }
}

/** Whether the same may work later. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof HomelabError && error.kind === "unavailable";
/**
 * Whether homelab-deploy itself is at fault. What the operating system refused (a full disk, a connection that was
 * reset) and a deadline that passed are faults of the surroundings, also where nobody has explained them yet.
 * Cancellation is neither: look at the signal first.
 */
export function isBug(thrown: unknown): boolean {
  if (thrown instanceof HomelabError) return thrown.kind === "bug";
  return !isSystemError(thrown) && !isTimeout(thrown);
}

/**
 * What only wrong code throws. For those who explain everything that a library or the system throws at them: a bug of
 * ours in between must not become a fault of the surroundings.
 */
export const isProgrammingError = (thrown: unknown): boolean =>
  thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError;

/** Node gives every error of a system call the call's name. */
const isSystemError = (thrown: unknown): boolean =>
  thrown instanceof Error && "syscall" in thrown && typeof thrown.syscall === "string";

/** Whether it is an error of Node or of a system call with one of these codes, such as `ENOENT`. */
export const hasCode = (thrown: unknown, ...codes: readonly string[]): boolean =>
  thrown instanceof Error && "code" in thrown && codes.includes(String(thrown.code));

/** What `AbortSignal.timeout` throws. */
const isTimeout = (thrown: unknown): boolean =>
  thrown instanceof DOMException && thrown.name === "TimeoutError";

/** Node's own advice about a certificate, which is for who starts Node, and which we follow. */
const nodeAdvice = /; if the root CA is installed locally, try running Node\.js with --use-system-ca$/;

/** The text of anything that was thrown, one line, without a stack. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) {
    return thrown.message === "" ? thrown.name : thrown.message.replace(nodeAdvice, "");
  }
  return String(thrown);
}

/** The messages of an error's causes, outermost first, without those that were said before. */
export function causesOf(thrown: unknown): readonly string[] {
  const causes: string[] = [];
  const isSaid = (text: string): boolean =>
    [messageOf(thrown), ...causes].some((said) => said.includes(text));
  let current = thrown instanceof Error ? thrown.cause : undefined;
  for (let depth = 0; current !== undefined && current !== null && depth < 8; depth++) {
    const message = messageOf(current);
    if (!isSaid(message)) causes.push(message);
    current = current instanceof Error ? current.cause : undefined;
  }
  return causes;
}
