import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import { formatProblem, problemOf, type Problem } from "./problems.ts";
import { parseJson } from "../base/json.ts";
import { readBounded, whyUnreadable } from "../base/files/read-bounded.ts";
import { checkRules, type ConfigRole } from "./rules.ts";
import { Config } from "./schema.ts";
import { findUnknownKeys } from "./unknown-keys.ts";

const maxBytes = 1024 * 1024;

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
}

/** What holds where there is no file. */
export const defaultConfig = (): Config => v.parse(Config, {});

/** Everything that is wrong with a configuration, said at once. */
export class ConfigError extends HomelabError {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    const [first] = problems;
    const message =
      problems.length === 1 && first !== undefined
        ? `${file}: ${formatProblem(first)}`
        : `${file} has ${problems.length} problems:\n${problems.map((each) => `  ${formatProblem(each)}`).join("\n")}`;
    super("config", message, {
      code: "BAD_CONFIG",
      hint: "docs/reference/configuration.md lists all settings; homelab-deploy config check FILE checks a file",
    });
    this.problems = problems;
  }
}

/**
 * Reads and checks a configuration file of at most 1 MiB.
 *
 * @throws ConfigError with every problem there is.
 */
export async function loadConfig(path: string, role: ConfigRole = "client"): Promise<LoadedConfig> {
  const { text } = await readBounded(path, maxBytes).catch((error: unknown) => {
    throw new ConfigError(path, [{ path: "", message: `cannot be read: ${whyUnreadable(error)}` }]);
  });
  return parseConfig(text, path, role);
}

/**
 * Checks the text of a configuration file.
 *
 * @param file its name, for messages
 * @throws ConfigError with every problem there is.
 */
export function parseConfig(text: string, file: string, role: ConfigRole = "client"): LoadedConfig {
  const value = jsonOf(text, file);
  const unknownKeys = findUnknownKeys(Config, value);
  const result = v.safeParse(Config, value, { abortPipeEarly: true });
  const issues = (result.issues ?? []).filter((issue) => !isUnknownKey(issue));
  if (!result.success || unknownKeys.length > 0) {
    throw new ConfigError(file, [...unknownKeys, ...issues.map(problemOf)]);
  }
  const { problems, warnings } = checkRules(result.output, role);
  if (problems.length > 0) throw new ConfigError(file, problems);
  return { config: result.output, warnings };
}

const isUnknownKey = (issue: v.BaseIssue<unknown>): boolean =>
  issue.type === "strict_object" && issue.expected === "never";

function jsonOf(text: string, file: string): unknown {
  try {
    return parseJson(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    // The error's own message has a piece of the text in it, which can be a secret.
    const at = /position (?<position>\d+)/.exec(String(error))?.groups?.["position"];
    throw new ConfigError(file, [{ path: "", message: `is not JSON: ${placeIn(text, at)}` }]);
  }
}

function placeIn(text: string, position: string | undefined): string {
  if (position === undefined) return text.trim() === "" ? "it is empty" : "there is a mistake in it";
  const before = text.slice(0, Number(position)).split("\n");
  return `there is a mistake in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
