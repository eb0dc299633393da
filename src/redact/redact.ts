// Nothing leaves this machine before it went through here: pull requests, comments, attached logs, messages.
import { encodingsOf } from "./secret-encodings.ts";
import { longestShape, redactionMark, shapePatterns, widestContext } from "./secret-shapes.ts";

/**
 * Takes secrets out of a text that comes in pieces. However it is cut, all that it gives is together the same as for
 * the whole text at once. It holds back a small multiple of what a secret can have, so memory is bounded for any text.
 */
export interface Redactor {
  /** Gives what is certain by now. */
  write(text: string): string;
  /** Gives the rest. */
  end(): string;
  /** How many secrets it took out. */
  readonly redactions: number;
}

/**
 * Takes out these secrets in all their encodings, and everything that has the shape of a secret.
 *
 * @param secrets shorter than `shortestSecret` are left alone
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  const stages = redactionStages(secrets).map(createStage);
  return {
    write: (text) => stages.reduce((passed, stage) => stage.write(passed), text),
    end: () => stages.reduce((passed, stage) => stage.write(passed) + stage.end(), ""),
    get redactions() {
      return stages.reduce((sum, { redactions }) => sum + redactions, 0);
    },
  };
}

/** Redacts a whole text. */
export function redact(text: string, secrets: readonly string[]): string {
  const redactor = createRedactor(secrets);
  return redactor.write(text) + redactor.end();
}

/** What one pass over the text looks for. */
interface Pattern {
  readonly expression: RegExp;
  /** No match has more characters, with all that it looks ahead at. */
  readonly longest: number;
}

/** Known secrets come first: a shape could otherwise take a part of one and leave the rest. */
function redactionStages(secrets: readonly string[]): readonly Pattern[] {
  const literals = [...new Set(secrets.flatMap(encodingsOf))].toSorted((a, b) => b.length - a.length);
  const longest = (literals[0]?.length ?? 0) + 1;
  const known = literals.map(escapePattern).join("|");
  return [
    ...(literals.length > 0 ? [{ expression: new RegExp(known, "g"), longest }] : []),
    ...shapePatterns.map((expression) => ({ expression, longest: longestShape })),
  ];
}

const escapePattern = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

/**
 * Whether a match begins at some character depends on the `widestContext` characters before it and the `longest`
 * from it on, and on nothing else. So a character is decided as soon as these are there.
 */
function createStage({ expression, longest }: Pattern): Redactor {
  let redactions = 0;
  /** What was decided before, as far as a match can look back, and then what is not decided. */
  let held = "";
  let decided = 0;

  function decide(limit: number): string {
    let given = "";
    let at = decided;
    while (at < limit) {
      expression.lastIndex = at;
      const match = expression.exec(held);
      if (match === null || match.index >= limit) break;
      given += held.slice(at, match.index) + redactionMark;
      at = match.index + match[0].length;
      redactions++;
    }
    if (at < limit) {
      given += held.slice(at, limit);
      at = limit;
    }
    const kept = Math.max(0, at - widestContext);
    held = held.slice(kept);
    decided = at - kept;
    return given;
  }

  return {
    write(text) {
      held += text;
      // Held-back text is searched again each time, so pieces are gathered until that pays off.
      if (held.length - decided < 2 * longest) return "";
      return decide(wholeCharacters(held, held.length - longest));
    },
    end: () => decide(held.length),
    get redactions() {
      return redactions;
    },
  };
}

/** Does not cut between the two halves of a character: neither is one by itself. */
function wholeCharacters(text: string, limit: number): number {
  const code = text.charCodeAt(limit - 1);
  return code >= 0xd800 && code < 0xdc00 ? limit - 1 : limit;
}
