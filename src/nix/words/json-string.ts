// JSON that may have been cut.

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const wellFormed = /^(?:[^"\\]|\\(?:u[0-9a-fA-F]{4}|[^u]))*/;

/** What is there of a JSON string that may have no end: an escape sequence cut in the middle is left out. */
export function stringPrefix(literal: string): string {
  return decoded(wellFormed.exec(literal)?.[0] ?? "");
}

/** The whole lines of a JSON string that has lost its start. */
export function stringSuffix(literal: string): string {
  const newline = /(?<!\\)(?:\\\\)*\\n/.exec(literal);
  return newline === null ? "" : decoded(literal.slice(newline.index + newline[0].length));
}

function decoded(literal: string): string {
  const parsed = parseJson(`"${literal}"`);
  return typeof parsed === "string" ? parsed : "";
}
