import { plainText } from "../base/terminal-text.ts";

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
  if (onePlainLine.test(raw) && !isQuotedLog(raw)) return raw.slice(0, maxLength);
  const own = raw.split("\n").filter((line) => !isQuotedLog(line));
  return plainText(own.join("\n")).slice(0, maxLength);
}

const onePlainLine = /^[ -~]*$/;
const colour = /\u001b\[[0-9;]*m/g;

const isQuotedLog = (line: string): boolean =>
  /^\s*(?:>|last \d+ log lines:|for full logs, run|nix log \/)/i.test(line.replace(colour, ""));
