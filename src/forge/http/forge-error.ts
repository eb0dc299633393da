// What a forge answers when it does not do what was asked, as errors that a person can act on.
import { type ErrorDetails, HomelabError, type ErrorKind } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import { redact } from "../../redact/redact.ts";

export interface ForgeErrorDetails extends ErrorDetails {
  readonly code: string;
  /** The HTTP status; absent when there was no answer. */
  readonly status?: number;
  /** How long the forge asks us to wait before the next attempt. */
  readonly retryAfterMs?: number;
  /** What the forge itself said, as in `FailedAnswer`. */
  readonly words?: string;
}

/** A call to the forge that did not succeed. No text in it contains the token. */
export class ForgeError extends HomelabError {
  override readonly name = "ForgeError";
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly words: string;

  constructor(kind: ErrorKind, message: string, details: ForgeErrorDetails) {
    super(kind, message, details);
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.words = details.words ?? "";
  }
}

export const hasStatus = (error: unknown, ...statuses: readonly number[]): error is ForgeError =>
  error instanceof ForgeError && error.status !== undefined && statuses.includes(error.status);

const maxWordsLength = 400;

/** Foreign words in one line, which may repeat what we sent: no controls, no secret, at most 400 characters. */
export function wordsOf(text: string, secret: string): string {
  const line = redact(plainText(text), [secret]).replace(/\s+/g, " ").trim();
  return line.length > maxWordsLength ? `${line.slice(0, maxWordsLength)}…` : line;
}

const maxRetryAfterMs = 60_000;

export const askedMs = (error: unknown): number | undefined =>
  error instanceof ForgeError ? error.retryAfterMs : undefined;

/** It is not waited for that long. */
export const asksForTooLong = (error: unknown): boolean => (askedMs(error) ?? 0) > maxRetryAfterMs;

/** An answer with a status other than success. */
export interface FailedAnswer {
  /** What was asked, such as `POST https://git.example/api/v1/repos/o/r/pulls`: without query. */
  readonly asked: string;
  readonly status: number;
  /** The forge's own words, in one line, bounded and without the token; empty when it gave none. */
  readonly words: string;
  readonly retryAfterMs: number | undefined;
  /** GitHub tells that a rate limit is used up by 403 and a header. */
  readonly rateLimited: boolean;
}

interface Meaning {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string;
}

const unreachable = {
  kind: "unavailable",
  code: "FORGE_UNREACHABLE",
  hint: "check that the forge and its proxies are up; the same call may work later",
} as const satisfies Meaning;

const meanings: Readonly<Record<number, Meaning>> = {
  401: {
    kind: "refused",
    code: "FORGE_AUTH",
    hint: "put a valid access token of the forge into the token file",
  },
  403: {
    kind: "refused",
    code: "FORGE_FORBIDDEN",
    hint: "give the token's user write access to the repository",
  },
  404: {
    kind: "refused",
    code: "FORGE_NOT_FOUND",
    hint: "check owner and repository name, and that the token's user may see it",
  },
  409: {
    kind: "refused",
    code: "FORGE_CONFLICT",
    hint: "somebody else changed it at the same time: check the forge, then run again",
  },
  412: {
    kind: "refused",
    code: "FORGE_PRECONDITION",
    hint: "its state no longer allows this: check it on the forge",
  },
  413: {
    kind: "refused",
    code: "FORGE_TOO_LARGE",
    hint: "raise the size limit of the forge, of your quota, or of the proxy before it",
  },
  422: {
    kind: "refused",
    code: "FORGE_INVALID",
    hint: "the forge's message says which part it does not accept",
  },
  423: {
    kind: "refused",
    code: "FORGE_ARCHIVED",
    hint: "the repository is archived: unarchive it, or take it out of the configuration",
  },
};

const otherRefusal = {
  kind: "refused",
  code: "FORGE_REFUSED",
  hint: "the forge's message says why",
} as const satisfies Meaning;

export function failedAnswerError(answer: FailedAnswer): ForgeError {
  const { asked, status, words, retryAfterMs } = answer;
  const { kind, code, hint } = meaningOf(answer);
  const said = words === "" ? "" : `: ${words}`;
  return new ForgeError(kind, `${asked} was answered with ${status}${said}`, {
    code,
    hint,
    status,
    retryAfterMs,
    words,
  });
}

function meaningOf({ status, words, rateLimited }: FailedAnswer): Meaning {
  if (status >= 500 || status === 429 || rateLimited) return unreachable;
  if (status === 403) return scopeMeaning(words) ?? meanings[403] ?? otherRefusal;
  if (status >= 300 && status < 400) {
    return {
      kind: "config",
      code: "FORGE_REDIRECT",
      hint: "redirects are not followed: configure the URL, owner and repository name that it moved to",
    };
  }
  return meanings[status] ?? otherRefusal;
}

/**
 * Gitea: `token does not have at least one of required scope(s), required=[write:issue], token scope=read:issue`;
 * GitHub: `Resource not accessible by personal access token`.
 */
function scopeMeaning(words: string): Meaning | undefined {
  const required = /required scope.*?required=\[(?<scopes>[^\]]{1,200})\]/.exec(words)?.groups?.["scopes"];
  if (required === undefined && !/required scope|Resource not accessible by/.test(words)) return undefined;
  const hint =
    required === undefined
      ? "make a token that may read and write contents, issues and pull requests of this repository"
      : `make a token that also has the scope ${required.split(",").join(" or ")}`;
  return { kind: "refused", code: "FORGE_SCOPE", hint };
}

/** No answer came at all. `because` contains no token. */
export function noAnswerError(asked: string, because: string): ForgeError {
  return new ForgeError("unavailable", `${asked} got no answer: ${because}`, {
    code: "FORGE_UNREACHABLE",
    hint: "check that the forge is up and can be reached from this machine",
  });
}

/** There was an answer, and it is not what an API of this forge gives. */
export function badAnswerError(asked: string, status: number | undefined, because: string): ForgeError {
  return new ForgeError("unavailable", `${asked} got an answer that makes no sense: ${because}`, {
    code: "FORGE_BAD_ANSWER",
    hint: "check that the configured URL is the forge's own, and that no proxy changes the answers",
    status,
  });
}
