// The keys of the live view. While it reads them the terminal is in raw mode, in which Ctrl-C and Ctrl-Z are keys too.
import type { KeyInput } from "../context.ts";

export type Key = "up" | "down" | "log" | "cancel" | "help" | "detach" | "interrupt" | "suspend";

/** What terminals send: single characters, and arrows as ECMA-48 or in application mode. */
const keys: Readonly<Record<string, Key>> = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  k: "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  j: "down",
  l: "log",
  c: "cancel",
  "?": "help",
  q: "detach",
  "\u0003": "interrupt",
  "\u001a": "suspend",
};

export const keyHint = "? keys";
export const keyHelp = [
  "up, down  select a host (also k, j)",
  "l         the end of the log of the selected host",
  "c c       cancel the build",
  "q         detach; the build continues (also Ctrl-C)",
] as const;

/** The keys in what was typed since the last read. */
export function keysIn(text: string): readonly Key[] {
  const found: Key[] = [];
  for (const [typed] of text.matchAll(/\u001b[[O][A-D]|[^\u001b]/gu)) {
    const key = Object.hasOwn(keys, typed) ? keys[typed] : undefined;
    // Text that somebody pastes must cancel nothing.
    if (key !== undefined && (key !== "cancel" || text === typed)) found.push(key);
  }
  return found;
}

export interface KeyReader {
  /** Gives the terminal back for a while, and takes it again. */
  leave(): void;
  enter(): void;
  stop(): void;
}

export function readKeys(input: KeyInput, onKey: (key: Key) => void): KeyReader {
  const onData = (data: Buffer): void => {
    for (const key of keysIn(data.toString("utf8"))) onKey(key);
  };
  input.setRawMode(true);
  input.on("data", onData);
  input.resume();
  return {
    leave: () => void input.setRawMode(false),
    enter: () => void input.setRawMode(true),
    stop() {
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
    },
  };
}
