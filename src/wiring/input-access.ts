// How Nix signs in where private inputs are: with what `inputs.credentials` says about a host, for that host and no other.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../base/files/replace-file.ts";
import type { Environment } from "../base/environment.ts";
import type { InputCredentials, InputsSettings } from "../config/input-schema.ts";
import type { Config } from "../config/schema.ts";
import {
  readToken,
  secretsOf,
  serverOf,
  signInEnvironment,
  writeSignInPrograms,
  type ServerAccess,
} from "../git/sign-in-programs.ts";
import type { InputAccess } from "../nix/input-access.ts";
import { redact } from "../redact/redact.ts";
import { credentialFiles } from "./credential-files.ts";
import { mirrorDirectory } from "./git-access.ts";
import { inputServers } from "./input-servers.ts";
import { rulesFile, submoduleRules } from "./submodules.ts";

export interface InputAccessOptions {
  readonly config: Pick<Config, "inputs" | "repos">;
  /** The programs that git starts are in `<state>/nix/sign-in`. */
  readonly stateDirectory: string;
  readonly environment: Environment;
}

export function createInputAccess({ config, stateDirectory, environment }: InputAccessOptions): InputAccess {
  const directory = join(stateDirectory, "nix", "sign-in");

  /** Repos with submodules, by where our copy of them is. */
  const withSubmodules = new Map(
    Object.entries(config.repos)
      .filter(([, { submodules }]) => submodules)
      .map(([name, settings]) => [mirrorDirectory(stateDirectory, name), { name, settings }]),
  );

  function ofRepos(mirrors: readonly string[]): { readonly rules: string; readonly servers: ServerAccess[] } {
    const repos = mirrors.flatMap((mirror) => {
      const repo = withSubmodules.get(mirror);
      return repo === undefined ? [] : [{ mirror, ...repo }];
    });
    return {
      rules: repos.map(({ name, settings, mirror }) => submoduleRules(name, settings, mirror)).join(""),
      servers: repos.flatMap(({ settings: { url, credentials } }) => {
        const server = serverOf(url);
        if (server === undefined || credentials === undefined) return [];
        return [{ server, credentials: credentialFiles(credentials, environment) }];
      }),
    };
  }

  return {
    async open(mirrors) {
      const { rules, servers } = ofRepos(mirrors);
      // Git's first answer counts, and the repo's own credentials are the nearest.
      const accesses = [...servers, ...inputServers(config.inputs, environment)];
      const tokens = await accessTokens(config.inputs, environment);
      const nixConfig = await writeNixConfig(join(directory, "nix.conf"), tokens);
      if (accesses.length === 0 && rules === "") return { variables: {}, clean: (text) => text };
      await writeSignInPrograms(directory);
      const rulesPath = join(directory, rulesFile(rules));
      if (rules !== "") await replaceFile(rulesPath, rules);
      const secrets = (await Promise.all(accesses.map(({ credentials }) => secretsOf(credentials)))).flat();
      const variables = {
        ...signInEnvironment(directory, accesses),
        ...(rules !== "" && { GIT_CONFIG_GLOBAL: rulesPath }),
        ...nixConfig,
      };
      return { variables, clean: (text) => redact(text, secrets) };
    },
  };
}

const knownForges: Readonly<Record<string, InputCredentials["accessTokens"]>> = {
  "github.com": "github",
  "gitlab.com": "gitlab",
};

/**
 * As Nix's setting has them: `github.com=…`, `gitlab.com=PAT:…`. Those whose file cannot be read are left out: whoever
 * needs one is told that the server refuses it.
 */
async function accessTokens(
  { credentials }: InputsSettings,
  environment: Environment,
): Promise<readonly string[]> {
  const found = Object.entries(credentials).map(async ([host, settings]) => {
    const kind = settings.accessTokens ?? knownForges[host];
    const { tokenFile } = credentialFiles(settings, environment);
    if (kind === undefined || tokenFile === undefined) return [];
    const token = await readToken(tokenFile);
    // Nix separates tokens by spaces.
    if (token === "" || /\s/.test(token)) return [];
    // Without its kind, Nix prints a token of GitLab in a warning.
    return [kind === "gitlab" ? `${host}=PAT:${token}` : `${host}=${token}`];
  });
  return (await Promise.all(found)).flat();
}

/**
 * In a file for our user only: everybody on this machine sees an argument, and without a daemon Nix gives its own
 * variables to fixed-output derivations that name them (`impureEnvVars`), so also to one that is built in an evaluation.
 */
async function writeNixConfig(
  file: string,
  tokens: readonly string[],
): Promise<{ readonly NIX_USER_CONF_FILES?: string }> {
  if (tokens.length === 0) {
    await rm(file, { force: true });
    return {};
  }
  await replaceFile(file, `extra-access-tokens = ${tokens.join(" ")}\n`);
  return { NIX_USER_CONF_FILES: file };
}
