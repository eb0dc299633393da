// What to say about a flake's input that could not be fetched: whether its remote accepts our credentials, and what git said about it.
import { gitCause, saysRefused } from "../../process/git-cause.ts";
import { withoutPage } from "./error-text.ts";

export const deniedHint =
  "set inputs.credentials of the configuration for its host, and check that they may read it";

export interface FetchFault {
  /** In Nix's words, with git's where it was git that failed. */
  readonly message: string;
  /** The remote refuses our credentials. */
  readonly isDenied: boolean;
}

/**
 * "program 'git' failed" says little; what git said stands before it. Nix 2.26 does not look at whether git could fetch,
 * and says then that it "cannot find Git revision".
 *
 * @param error of Nix, without its trace
 * @param plainLines what programs printed that Nix started
 */
export function fetchFault(error: string, plainLines: readonly string[]): FetchFault {
  const [first = ""] = error.trim().split("\n", 1);
  const cause = ofGit.test(first) ? gitCause(plainLines) : undefined;
  if (cause !== undefined) {
    // Nix's words have only the address, which git's mostly have too.
    return saysRefused(cause)
      ? { message: cause, isDenied: true }
      : { message: `${withoutAdvice(first)}: ${cause}`, isDenied: false };
  }
  // GitHub limits who has no token with 403, and says so in what it sends.
  const isDenied = refusedDownload.test(first) && !/rate limit|too many requests/i.test(error);
  return { message: withoutPage(error), isDenied };
}

/** The words of Nix 2.8 to 2.34. */
const ofGit = /\bgit\b/i;
const refusedDownload = /unable to (?:download|check) '[^']*': HTTP error 40[13]\b/;
const withoutAdvice = (error: string): string => error.replace(/!? Please make sure that .*$/, "");
