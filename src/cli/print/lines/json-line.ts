// Controls (C1, DEL) and the characters that change the direction of text: JSON allows them unescaped.
const unsafeInJson = /(?<=#)#(?=\[)|[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A value as one line of JSON that is also safe to look at on a terminal, and that no CI runner takes for a command
 * (`##[…]` is one anywhere in a line); parsed, it is the same value.
 */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(unsafeInJson, escaped)}\n`;
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
