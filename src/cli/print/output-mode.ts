// How to print, decided once from the command line, the environment and what the streams are.
import type { Environment } from "../../base/environment.ts";
import { HomelabError } from "../../base/errors.ts";

export type OutputMode = "tty" | "plain" | "github" | "jsonl";
export const outputChoices = ["auto", "tty", "plain", "github", "jsonl"] as const;
export type OutputChoice = (typeof outputChoices)[number];

export const colourChoices = ["auto", "always", "never"] as const;
export type ColourChoice = (typeof colourChoices)[number];

/** The environment variables of the process; the decisions here read no others. */

export interface OutputFacts {
  /** `--output`; left out, the environment decides. */
  readonly output?: OutputChoice;
  readonly environment: Environment;
  readonly stderrIsTerminal: boolean;
}

/**
 * `--output`, then `HOMELAB_DEPLOY_OUTPUT`; `auto` means: log groups in GitHub's and Gitea's runners, the live view
 * where a person looks at standard error, plain lines everywhere else.
 *
 * @throws HomelabError `usage` when `HOMELAB_DEPLOY_OUTPUT` is not one of the choices.
 */
export function decideOutputMode({ output, environment, stderrIsTerminal }: OutputFacts): OutputMode {
  const choice = output ?? choiceFromEnvironment(environment);
  if (choice !== "auto") return choice;
  if (isWorkflowRunner(environment)) return "github";
  const watched = stderrIsTerminal && environment["TERM"] !== "dumb" && !isSet(environment["CI"]);
  return watched ? "tty" : "plain";
}

/** Runners that understand GitHub's workflow commands. */
const runnerVariables = ["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS"] as const;

/** Whether what we print is read by a runner that obeys the workflow commands it finds there. */
export const isWorkflowRunner = (environment: Environment): boolean =>
  runnerVariables.some((name) => environment[name] === "true");

function choiceFromEnvironment(environment: Environment): OutputChoice {
  const value = environment["HOMELAB_DEPLOY_OUTPUT"];
  if (value === undefined || value === "") return "auto";
  const choice = outputChoices.find((known) => known === value);
  if (choice !== undefined) return choice;
  throw new HomelabError("usage", `HOMELAB_DEPLOY_OUTPUT is ${JSON.stringify(value.slice(0, 40))}`, {
    code: "BAD_OUTPUT",
    hint: `set it to one of ${outputChoices.join(", ")}`,
  });
}

export interface ColourFacts {
  /** `--color`. */
  readonly colour?: ColourChoice;
  readonly environment: Environment;
  /** Whether the stream that we write to is a terminal: standard output and standard error may differ. */
  readonly isTerminal: boolean;
}

/** CI systems whose log pages show ANSI colours. */
const colourfulCi = [
  "GITHUB_ACTIONS",
  "GITEA_ACTIONS",
  "FORGEJO_ACTIONS",
  "GITLAB_CI",
  "BUILDKITE",
  "CIRCLECI",
] as const;

/**
 * `--color`, then https://no-color.org, then https://force-color.org (where `0` and `false` mean off, as in
 * Node), then https://bixense.com/clicolors, then CI systems that show colours, then whether it is a terminal.
 */
export function decideColour({ colour = "auto", environment, isTerminal }: ColourFacts): boolean {
  if (colour !== "auto") return colour === "always";
  if (isSet(environment["NO_COLOR"])) return false;
  const force = environment["FORCE_COLOR"];
  if (isSet(force)) return force !== "0" && force !== "false";
  if (isSet(environment["CLICOLOR_FORCE"]) && environment["CLICOLOR_FORCE"] !== "0") return true;
  if (colourfulCi.some((name) => isSet(environment[name]))) return true;
  return isTerminal && environment["TERM"] !== "dumb";
}

export interface GlyphFacts {
  /** `--ascii`. */
  readonly ascii?: boolean;
  readonly environment: Environment;
}

/**
 * ASCII only when asked for, or when a locale is set that is not UTF-8. Without any locale (services, containers)
 * nothing is known against UTF-8.
 */
export function decideAscii({ ascii = false, environment }: GlyphFacts): boolean {
  if (ascii) return true;
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map((name) => environment[name]).find(isSet);
  return locale !== undefined && !/utf-?8/i.test(locale);
}

const isSet = (value: string | undefined): value is string => value !== undefined && value !== "";
