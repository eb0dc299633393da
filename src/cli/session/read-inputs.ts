// What the configured flakes are pinned to. Reads the repos alone, and needs no NATS.
import { join } from "node:path";
import type { Config, RepoSettings } from "../../config/schema.ts";
import { parseFlakeLock } from "../../nix/lock/flake-lock.ts";
import { createExec } from "../../process/create-exec.ts";
import type { RepoName } from "../../protocol/names.ts";
import { createInputAccess } from "../../wiring/input-access.ts";
import { createNixUpstream } from "../../wiring/nix-upstream.ts";
import { lockPathOf, openRepository } from "../../wiring/open-repository.ts";
import type { Context } from "../context.ts";
import { summarizeInputs, type InputSummary } from "../print/pages/inputs-table.ts";
import { userStateDirectory } from "./local-builder.ts";
import { openNix } from "./open-nix.ts";
import { createPeopleLog } from "./people-log.ts";

export interface InputsRead {
  readonly inputs: readonly InputSummary[];
  /** One repo's fault does not keep the others from being listed. */
  readonly faults: readonly { readonly repo: RepoName; readonly error: unknown }[];
}

/** @param asksUpstream whether upstream is asked how far behind it is */
export async function readInputs(
  context: Context,
  config: Config,
  repos: readonly (readonly [RepoName, RepoSettings])[],
  asksUpstream: boolean,
  signal: AbortSignal,
): Promise<InputsRead> {
  const { environment } = context;
  const stateDirectory = join(userStateDirectory(environment), "local");
  const exec = createExec();
  const log = createPeopleLog(context);
  const nix = asksUpstream
    ? await openNix(
        context,
        stateDirectory,
        log,
        signal,
        createInputAccess({ config, stateDirectory, environment }),
      )
    : undefined;
  const inputs: InputSummary[] = [];
  const faults: { readonly repo: RepoName; readonly error: unknown }[] = [];
  for (const [repo, settings] of repos) {
    const failed = (error: unknown): void => {
      signal.throwIfAborted();
      faults.push({ repo, error });
    };
    try {
      const repository = openRepository({ repo, settings, stateDirectory, exec, environment, log });
      const commit = await repository.mirror.resolveBranch(settings.branch, signal);
      const text = await repository.readFile(commit, lockPathOf(settings), signal);
      if (text === undefined) continue;
      const lock = parseFlakeLock(text);
      const upstream =
        nix === undefined ? undefined : createNixUpstream({ nix, repository, directory: settings.directory });
      const newest = await upstream
        ?.updateLock(commit, undefined, signal)
        .then(parseFlakeLock)
        .catch((error: unknown) => {
          failed(error);
          return "unknown" as const;
        });
      inputs.push(...summarizeInputs({ repo, commit, lock, newest }));
    } catch (error) {
      failed(error);
    }
  }
  return { inputs, faults };
}
