import { plainText } from "../../base/terminal-text.ts";

const maxLength = 16 * 1024;

/**
 * The text of a message of Nix without colours, without what it quotes of a build's own log, and bounded to 16 Ki
 * characters.
 *
 * Without internal-json (always so in the Nix daemon) Nix puts the tail of the log into its error: "last 10 log
 * lines:", then each line behind "> ". These words are the builder's, so they must not be there when somebody
 * decides by what Nix said. They have to go before the text is made plain: a carriage return in a log line would
 * otherwise overwrite the "> " and leave the rest of the line standing as Nix's own words.
 */
export function messageText(raw: string): string {
  const uncoloured = raw.replaceAll(colour, "");
  const own = uncoloured
    .split("\n")
    .filter((line) => !quotedLog.test(line))
    .join("\n");
  // Most messages have no other control characters, and there are many.
  return (ordinary.test(own) ? own : plainText(own)).slice(0, maxLength);
}

const colour = /\u001b\[[0-9;]*m/g;
const quotedLog = /^\s*(?:>|last \d+ log lines:|for full logs, run|nix log \/)/i;
const ordinary = /^[\n -~]*$/;
