// How Nix, and the git that it starts, may reach the inputs of flakes. Wiring knows the credentials; here is only what an
// adapter of Nix does with them.
import type { Environment } from "./nix-environment.ts";

export interface InputAccess {
  /**
   * @param mirrors of the flakes that are fetched: of a repo with submodules its own credentials are good for them too
   */
  open(mirrors: readonly string[]): Promise<OpenInputs>;
}

export interface OpenInputs {
  /** For one process of Nix, beside `nixEnvironment`. */
  readonly variables: Environment;
  /** What a program printed, without the secrets that it may have repeated. */
  clean(text: string): string;
}

/** Only what is open to everybody. */
export const openToAll: InputAccess = { open: async () => ({ variables: {}, clean: (text) => text }) };

/** Git takes a GIT_SSH_COMMAND before our own program, which itself calls it for hosts without credentials. */
export function withInputAccess(environment: Environment, { variables }: OpenInputs): Environment {
  const { GIT_SSH_COMMAND: command, ...others } = environment;
  if (command === undefined || variables["GIT_SSH"] === undefined) return { ...environment, ...variables };
  return { ...others, ...variables, HOMELAB_DEPLOY_SSH_COMMAND: command };
}
