// `homelab-deploy inputs`: what the configured flakes are pinned to. Reads the repos alone, and needs no NATS.
import { join } from "node:path";
import type { Log } from "../../../base/log.ts";
import type { Nix } from "../../../nix/nix.ts";
import { parseFlakeLock } from "../../../nix/lock/flake-lock.ts";
import { createExec } from "../../../process/create-exec.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { RepoName } from "../../../protocol/names.ts";
import { chooseRepos } from "../../arguments/choose-repos.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { userStateDirectory } from "../../session/local-builder.ts";
import { createNixUpstream } from "../../../wiring/nix-upstream.ts";
import { lockPathOf, openRepository } from "../../../wiring/open-repository.ts";
import { createPeopleLog } from "../../session/people-log.ts";
import { errorJson, exitCodeOfError, renderError } from "../../print/error.ts";
import { renderInputs, summarizeInputs, type InputSummary } from "../../print/pages/inputs-table.ts";

export interface InputsOptions {
  readonly repo?: string | undefined;
  readonly check?: boolean | undefined;
  readonly absolute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

interface RepoFault {
  readonly repo: RepoName;
  readonly error: unknown;
}

/** 0, or what stands for the worst fault of a repo: 3 when its remote, or upstream, does not answer. */
export async function runInputs(context: Context, options: InputsOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  const { clock, environment, out, outStyle: style } = context;
  const repos = chooseRepos(await loadCommandConfig(context), options.repo);
  const stateDirectory = join(userStateDirectory(environment), "local");
  const exec = createExec();
  const log = createPeopleLog(context);
  const nix = options.check === true ? await openNix(context, stateDirectory, log, signal) : undefined;
  const inputs: InputSummary[] = [];
  const faults: RepoFault[] = [];

  for (const [repo, settings] of repos) {
    // One repo's fault does not keep the others from being listed.
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
      inputs.push(...summarizeInputs({ repo, commit, lock, ...(newest === undefined ? {} : { newest }) }));
    } catch (error) {
      failed(error);
    }
  }

  const { debug } = context.options;
  if (options.json === true) {
    const errors = faults.map(({ repo, error }) => ({ repo, ...errorJson(error, debug) }));
    out.write(`${JSON.stringify({ inputs, errors }, undefined, 2)}\n`);
  } else {
    if (inputs.length > 0 || faults.length === 0) {
      out.write(
        renderInputs(inputs, { style, width: out.columns, now: clock.now(), absolute: options.absolute }),
      );
    }
    for (const { repo, error } of faults) {
      const text = renderError(error, { style: context.errStyle, debug });
      context.err.write(`${context.errStyle.bold(`${repo}:`)}\n${text}`);
    }
  }
  return Math.max(exitCodes.success, ...faults.map(({ error }) => exitCodeOfError(error)));
}

async function openNix(
  { environment, clock }: Context,
  stateDirectory: string,
  log: Log,
  signal: AbortSignal,
): Promise<Nix> {
  const { createNix } = await import("../../../nix/create-nix.ts");
  return createNix(
    { exec: createExec(), environment, stateDirectory: join(stateDirectory, "nix"), clock, log },
    signal,
  );
}
