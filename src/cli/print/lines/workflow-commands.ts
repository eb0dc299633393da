// What GitHub's runner, and Gitea's and Forgejo's, read in the output of a step.
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
import { randomBytes } from "node:crypto";

/** The runner keeps 10 annotations of a kind for each step and drops the others. */
export const mostAnnotations = 10;
/** It cuts messages at 4096 characters. */
const longestMessage = 4000;

const escapeData = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const escapeProperty = (text: string): string =>
  escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");

export function annotation(level: "error" | "warning", title: string, message: string): string {
  const cut = message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message;
  return `::${level} title=${escapeProperty(title)}::${escapeData(cut)}`;
}

export const groupStart = (title: string): string => `::group::${escapeData(title)}`;
export const groupEnd = "::endgroup::";

/** Lines among which the runner looks for no commands, up to the token that no log can guess. */
export const withoutCommands = (lines: readonly string[], token: string): string[] => [
  stopCommands(token),
  ...lines,
  resumeCommands(token),
];
export const stopCommands = (token: string): string => `::stop-commands::${token}`;
export const resumeCommands = (token: string): string => `::${token}::`;

/** A token that no log can guess. */
export const randomToken = (): string => randomBytes(16).toString("hex");

/** The same for a text that ends in a newline. */
export const textWithoutCommands = (text: string, token: string): string =>
  `${withoutCommands([text.trimEnd()], token).join("\n")}\n`;
