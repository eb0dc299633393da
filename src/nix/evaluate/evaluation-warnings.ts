// What an evaluator warns of, by host: `config.warnings`, `lib.warn`, `builtins.warn` and `builtins.trace`.
import { plainText } from "../../base/terminal-text.ts";

const mostWarnings = 100;
const longestWarning = 2_000;

/** Plain text, each once, at most 100 of at most 2,000 characters, and how many more there were. */
export function boundedWarnings(texts: Iterable<string>): readonly string[] {
  const distinct = new Set<string>();
  for (const text of texts) {
    distinct.add(
      plainText(text.slice(0, longestWarning))
        .trim()
        .replace(/^(?:evaluation )?warning: /, ""),
    );
  }
  const [first, more] = [[...distinct].slice(0, mostWarnings), distinct.size - mostWarnings];
  return more > 0 ? [...first, `and ${more} more warnings`] : first;
}

/**
 * What Nix says when the host of that name begins, in a process that evaluates several: what follows is its own.
 * No flake can say it, for none knows the token.
 */
export const hostMarker = (token: string, host: string): string => `${token} ${host}`;

export interface WarningReader {
  /** A trace, with or without `trace: `, as Nix printed it. */
  take(text: string): void;
  /** Of the host that began last; undefined for what came before the first. */
  end(): ReadonlyMap<string | undefined, readonly string[]>;
}

/** @param token of the markers; undefined in a process of one host, to which everything belongs */
export function createWarningReader(token: string | undefined): WarningReader {
  const byHost = new Map<string | undefined, string[]>();
  let host: string | undefined;
  let left = mostKept;
  return {
    take(said) {
      const text = said.replace(/^trace: /, "");
      if (token !== undefined && text.startsWith(`${token} `)) host = text.slice(token.length + 1);
      else if (left > 0) {
        left -= 1;
        byHost.set(host, [...(byHost.get(host) ?? []), text.slice(0, longestWarning)]);
      }
    },
    end: () => byHost,
  };
}

/** A module that traces in a loop must not fill the memory. */
const mostKept = 2_000;
