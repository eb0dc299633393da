// What the configured flakes are pinned to. Reads the repos alone, and needs no NATS.
import { join } from "node:path";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import { silentLog } from "../../base/log.ts";
import { updatableInputs } from "../../nix/lock/flake-lock-diff.ts";
import { type FlakeLock, parseFlakeLock } from "../../nix/lock/flake-lock.ts";
import { createExec } from "../../process/create-exec.ts";
import type { Commit, RepoName } from "../../protocol/names.ts";
import { updateReachable, type ReachableUpdate } from "../../update/update-reachable.ts";
import type { Upstream } from "../../update/update.ts";
import { createInputAccess } from "../../wiring/input-access.ts";
import { createNixUpstream } from "../../wiring/updates/nix-upstream.ts";
import { lockPathOf, openRepository } from "../../wiring/open-repository.ts";
import type { Context } from "../context.ts";
import { notesOf, type InputNote } from "../print/pages/input-notes.ts";
import { summarizeInputs, type InputSummary, type NewestInputs } from "../print/pages/inputs-table.ts";
import { userStateDirectory } from "./local-builder.ts";
import { openNix } from "./open-nix.ts";
import { createPeopleLog } from "./people-log.ts";

export interface InputsRead {
  readonly inputs: readonly InputSummary[];
  readonly notes: readonly InputNote[];
  /** One repo's fault, or one input's, does not keep the others from being listed. */
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
  const notes: InputNote[] = [];
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
      // What flake.nix declares only Nix can say.
      if (text === undefined && nix === undefined) continue;
      const lock = text === undefined ? noLock : parseFlakeLock(text);
      notes.push(...notesOf(repo, lock));
      const newest =
        nix === undefined
          ? undefined
          : await askUpstream(
              createNixUpstream({ nix, repository, directory: settings.directory }),
              { commit, isLocked: text !== undefined },
              signal,
            ).catch((error: unknown) => {
              failed(error);
              return "unknown" as const;
            });
      inputs.push(...summarizeInputs({ repo, commit, lock, newest }));
      if (newest === undefined || newest === "unknown") continue;
      faults.push(...[...newest.unavailable.values()].map((error) => ({ repo, error })));
    } catch (error) {
      failed(error);
    }
  }
  return { inputs, notes, faults };
}

const noLock: FlakeLock = { version: 7, root: "root", nodes: { root: {} } };

/** Each input has its own answer: one that cannot be reached hides no other's. */
async function askUpstream(
  upstream: Pick<Upstream, "updateLock">,
  { commit, isLocked }: { readonly commit: Commit; readonly isLocked: boolean },
  signal: AbortSignal,
): Promise<NewestInputs & Pick<ReachableUpdate, "unavailable">> {
  const update = async (names: readonly string[] | undefined): Promise<string> =>
    upstream.updateLock(commit, names, signal);
  const fitted = parseFlakeLock(await update([]));
  const names = async (): Promise<readonly string[]> => (isLocked ? updatableInputs(fitted) : []);
  // What cannot be reached is said with the rest.
  const { lock, unavailable } = await updateReachable({ update, names, inputs: undefined, log: silentLog });
  return { fitted, full: lock === undefined ? undefined : parseFlakeLock(lock), unavailable };
}
