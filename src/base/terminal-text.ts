// Text from outside (build logs, host names, error messages) on its way to a terminal.

// ECMA-48 sequences: CSI (also as the C1 control U+009B), strings such as OSC and DCS up to their end, and two
// byte escapes. Patterns are linear: no nested repetition.
const sequence =
  /(?:\u001b\[|\u009b)(?<parameters>[0-?]*)[ -/]*(?<final>[@-~])|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

// C0 but tab, DEL, C1, and the characters that change the direction of text (they can make a line read otherwise
// than it is).
const unsafe = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/g;

const sgr = /^[0-9;:]*$/;

/**
 * One line of foreign text, safe to print: colour (SGR) stays when `colour` is true, every other control goes.
 * A line that a program overwrote with `\r` keeps its last state, as a terminal would show it.
 */
export function safeLine(text: string, colour: boolean): string {
  const visible = lastOverwrite(text);
  let safe = "";
  let end = 0;
  let coloured = false;
  for (const match of visible.matchAll(sequence)) {
    safe += visible.slice(end, match.index).replace(unsafe, "");
    end = match.index + match[0].length;
    const { parameters, final } = match.groups ?? {};
    if (colour && final === "m" && sgr.test(parameters ?? "")) {
      safe += `\u001b[${parameters ?? ""}m`;
      coloured = true;
    }
  }
  safe += visible.slice(end).replace(unsafe, "");
  return coloured ? `${safe}\u001b[0m` : safe;
}

/** Foreign text of several lines without any control but the newlines. */
export function plainText(text: string): string {
  return text
    .split("\n")
    .map((line) => safeLine(line, false))
    .join("\n");
}

function lastOverwrite(text: string): string {
  const trimmed = text.endsWith("\r") ? text.slice(0, -1) : text;
  const at = trimmed.lastIndexOf("\r");
  return at < 0 ? trimmed : trimmed.slice(at + 1);
}
