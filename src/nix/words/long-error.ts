import { stringPrefix, stringSuffix } from "./json-string.ts";

/** An error in a line of internal-json that is too long to keep. */
export interface LongError {
  /** The error alone; its first 32 KiB. */
  readonly raw: string;
  /** With its trace: both ends of it, 32 KiB each, where it is longer. */
  readonly msg: string;
}

export interface LongErrorReader {
  /** The next piece of the line. */
  take(piece: string): void;
  /** Undefined if the line was not one of Nix's own errors. */
  end(): LongError | undefined;
}

const kept = 32 * 1024;
const start =
  /^@nix \{"action":"msg",(?:"column":\d+|"column":null),"file":(?:null|"(?:[^"\\]|\\.)*"),"level":0,"line":(?:\d+|null),"msg":"/;
/** Behind `msg` and before `trace`. It cannot be a part of a string: quotes there are escaped. */
const rawKey = ',"raw_msg":"';

/**
 * Reads such a line in pieces. Endless recursion makes one: since 2.20 Nix goes 10,000 calls deep, and gives the
 * trace of all of them twice, first as text.
 */
export function createLongErrorReader(): LongErrorReader {
  let head = "";
  let beforeRaw = "";
  let raw: string | undefined;

  return {
    take(piece) {
      head += piece.slice(0, kept - head.length);
      if (raw !== undefined) {
        raw += piece.slice(0, kept - raw.length);
        return;
      }
      const text = beforeRaw + piece;
      const at = text.indexOf(rawKey);
      if (at < 0) {
        beforeRaw = text.slice(-kept);
      } else {
        beforeRaw = text.slice(Math.max(0, at - kept), at);
        raw = text.slice(at + rawKey.length, at + rawKey.length + kept);
      }
    },
    end() {
      const matched = start.exec(head);
      if (matched === null || raw === undefined) return undefined;
      const literal = head.slice(matched[0].length);
      const first = stringPrefix(literal);
      const isWhole = literal.includes(rawKey);
      return {
        raw: stringPrefix(raw),
        msg: isWhole ? first : `${first}\n[…]\n${stringSuffix(beforeRaw.slice(0, -1))}`,
      };
    },
  };
}
