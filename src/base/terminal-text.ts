// Text from outside (build logs, host names, error messages) on its way to a terminal, or to a runner of workflows
// that obeys the commands it finds in what a step prints.

// ECMA-48 sequences: CSI (also as the C1 control U+009B), strings such as OSC and DCS up to their end, and two
// byte escapes. Patterns are linear: no nested repetition.
const sequence =
  /(?:\u001b\[|\u009b)(?<parameters>[0-?]*)[ -/]*(?<final>[@-~])|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

// DEL, C1, the separators that some take for the end of a line, and the characters that change the direction of text
// (they can make a line read otherwise than it is). In JSON all of them may stand unescaped.
const beyondAscii = "\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
// C0 but tab, too.
const unsafe = new RegExp(`[\\u0000-\\u0008\\u000a-\\u001f${beyondAscii}]`, "g");
const unsafeInJson = new RegExp(`(?<=#)#(?=\\[)|[${beyondAscii}]`, "g");

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

/**
 * A value as JSON that is also safe to look at on a terminal, and that no runner takes for a command; parsed, it is the
 * same value.
 */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(unsafeInJson, escaped);

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * A line in which a runner finds no command. `::` is one only at the start of a line; the older form `##[…]` is one
 * anywhere in it (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
 */
export const withoutCommand = (line: string): string =>
  line.replaceAll("##[", "## [").replace(/^(?<indent>\s*)::/, "$<indent>: :");

function lastOverwrite(text: string): string {
  const trimmed = text.endsWith("\r") ? text.slice(0, -1) : text;
  const at = trimmed.lastIndexOf("\r");
  return at < 0 ? trimmed : trimmed.slice(at + 1);
}
