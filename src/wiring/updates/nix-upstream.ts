// What an update needs of Nix, with a checkout of the repo to run it in.
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { Repository } from "../../git/git.ts";
import type { Evaluator } from "../../nix/evaluator.ts";
import type { Locker } from "../../nix/locker.ts";
import { InputUnavailableError } from "../../update/update-reachable.ts";
import type { Upstream } from "../../update/update.ts";

export interface NixUpstreamOptions {
  readonly nix: Evaluator & Locker;
  readonly repository: Repository;
  readonly directory: string | undefined;
  /** See `FlakeSource`. */
  readonly submodulesOrigin?: string;
}

const updateTimeoutMs = 30 * 60_000;
/** Without import from derivation: a list of hosts that needs it is not available before anybody looked. */
export const listingOptions = {
  timeoutMs: 5 * 60_000,
  maxMemoryBytes: 4 * 1024 ** 3,
  allowImportFromDerivation: false,
};

export function createNixUpstream({
  nix,
  repository,
  directory,
  submodulesOrigin: origin,
}: NixUpstreamOptions): Upstream {
  return {
    async updateLock(base, inputs, signal) {
      await using checkout = await repository.checkOut(base, signal);
      const at = directory === undefined ? checkout.directory : join(checkout.directory, directory);
      const result = await nix.updateLock(at, { inputs, timeoutMs: updateTimeoutMs }, signal);
      if (result.type === "updated") return result.lock;
      const { kind, message, reason, hint, input, isStale, details } = result.failure;
      const more = { hint, cause: details === "" ? undefined : new Error(details) };
      if (input !== undefined || isStale === true) {
        throw new InputUnavailableError(input, message, { ...more, reason }, kind);
      }
      throw new HomelabError(kind, message, { code: "INPUT_UPDATE_FAILED", ...more });
    },
    async listHosts(commit, signal) {
      const source = { mirror: repository.mirror.path, commit, directory, submodulesOrigin: origin };
      return nix.listHosts(source, listingOptions, signal);
    },
  };
}
