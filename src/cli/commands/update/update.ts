// `homelab-deploy update`: the safe update of the repos' flake inputs.
import { join } from "node:path";
import { HomelabError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { BuildReader } from "../../../bus/bus.ts";
import type { Config } from "../../../config/schema.ts";
import { isSameRepository } from "../../../config/shared-repository.ts";
import { resolveSecretPath } from "../../../config/secrets.ts";
import { createNix } from "../../../nix/create-nix.ts";
import { createExec } from "../../../process/create-exec.ts";
import { ownerEnvironment } from "../../../process/owner.ts";
import type { Teller } from "../../../update/tell/outbox.ts";
import { safeUpdate } from "../../../update/safe-update.ts";
import { createWebhookTeller } from "../../../update/tell/webhook.ts";
import { chooseRepos } from "../../arguments/choose-repos.ts";
import { announceUncomposed, composeUpdate, type ComposedUpdate } from "../../../wiring/compose-update.ts";
import { connectCommand, loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { endLeftBehindIn } from "../../../wiring/end-left-behind-in.ts";
import { startLocalBuilder, userStateDirectory } from "../../session/local-builder.ts";
import { createPeopleLog } from "../../session/people-log.ts";
import { errorJson, exitCodeOfError, renderError } from "../../print/error.ts";
import {
  describeUnavailable,
  describeUpdate,
  updateExitCode,
  updateJson,
} from "../../print/pages/update-result.ts";

export interface UpdateCommandOptions {
  readonly repo?: string | undefined;
  readonly input?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  readonly proposalSucceeds?: boolean | undefined;
  readonly builds?: "local" | "nats" | undefined;
  readonly json?: boolean | undefined;
}

export async function runUpdateCommand(context: Context, options: UpdateCommandOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  const config = await loadCommandConfig(context);
  const repos = chooseRepos(config, options.repo);
  refuseShared(repos);
  const dryRun = options.dryRun === true;
  if (dryRun && options.builds === "nats") {
    throw new HomelabError(
      "usage",
      "a dry run pushes nothing, so a builder elsewhere cannot see what to build",
      {
        code: "BAD_ARGUMENTS",
        hint: "use --builds local with --dry-run",
      },
    );
  }
  const stateDirectory = stateDirectoryOf(context, config);
  const log = createPeopleLog(context);
  const { clock, environment } = context;
  await endLeftBehindIn(stateDirectory, { clock, log }, signal);
  const exec = createExec(clock, ownerEnvironment(stateDirectory));
  await using builders = await connectBuilds(
    context,
    config,
    { isLocal: dryRun || options.builds === "local", stateDirectory, log },
    signal,
  );
  const nix = await createNix(
    { exec, environment, stateDirectory: join(stateDirectory, "nix"), clock, log },
    signal,
  );
  const tellers = { nats: builders.tell, webhook: await webhookOf(context, config, log) };

  let worst = 0;
  const documents: object[] = [];
  for (const [repo, settings] of repos) {
    const parts = {
      environment,
      clock,
      config,
      repo,
      settings,
      stateDirectory,
      nix,
      exec,
      builds: builders.reader,
      tellers,
      dryRun,
      inputs: options.input,
      log,
    };
    let composed: ComposedUpdate | undefined;
    try {
      composed = await composeUpdate(parts, signal);
      const result = await safeUpdate(composed.options, signal);
      worst = Math.max(worst, updateExitCode(result, options.proposalSucceeds === true));
      const unavailable = composed.options.journal.last("resolved")?.unavailable ?? [];
      documents.push({ repo, ...updateJson(result), unavailable });
      if (options.json !== true) {
        context.out.write(describeUpdate(repo, result, composed.reportFiles.markdown, context.outStyle));
        context.out.write(describeUnavailable(unavailable, context.outStyle));
      }
    } catch (error) {
      signal.throwIfAborted();
      if (composed === undefined) await announceUncomposed(parts, error, signal);
      // One repo's fault does not keep the others from their update.
      worst = Math.max(worst, exitCodeOfError(error));
      documents.push({ repo, outcome: "error", ...errorJson(error, context.options.debug) });
      const print = { style: context.errStyle, debug: context.options.debug };
      if (options.json !== true)
        context.err.write(`${context.errStyle.bold(`${repo}:`)}\n${renderError(error, print)}`);
    }
  }
  if (options.json === true) context.out.write(`${JSON.stringify({ updates: documents }, undefined, 2)}\n`);
  return worst;
}

/** Both would use the same branch of the day, and close each other's pull requests. */
function refuseShared(repos: ReturnType<typeof chooseRepos>): void {
  for (const [index, [name, { url }]] of repos.entries()) {
    const twin = repos.slice(0, index).find(([, other]) => isSameRepository(url, other.url));
    if (twin === undefined) continue;
    throw new HomelabError(
      "config",
      `${twin[0]} and ${name} are in one repository, of which only one can be updated`,
      {
        code: "SHARED_REPOSITORY",
        hint: "name the one that is: --repo",
      },
    );
  }
}

/** As configured; for a service what systemd gives it; otherwise the user's own. */
function stateDirectoryOf({ environment }: Context, config: Config): string {
  const service = environment["STATE_DIRECTORY"]?.split(":")[0];
  return (
    config.update.stateDirectory ??
    (service === undefined || service === "" ? join(userStateDirectory(environment), "update") : service)
  );
}

interface ConnectedBuilds extends AsyncDisposable {
  readonly reader: BuildReader;
  readonly tell: Teller | undefined;
}

interface BuildsChoice {
  readonly isLocal: boolean;
  readonly stateDirectory: string;
  readonly log: Log;
}

async function connectBuilds(
  context: Context,
  config: Config,
  { isLocal, stateDirectory, log }: BuildsChoice,
  signal: AbortSignal,
): Promise<ConnectedBuilds> {
  if (isLocal) {
    const builder = await startLocalBuilder(context, config, signal, stateDirectory);
    return {
      reader: builder.reader,
      tell: undefined,
      [Symbol.asyncDispose]: async () => builder[Symbol.asyncDispose](),
    };
  }
  const connection = await connectCommand(context, signal, log);
  const [{ createReader }, { publishUpdateEvent }] = await Promise.all([
    import("../../../bus/create-reader.ts"),
    import("../../../bus/publish-update.ts"),
  ]);
  return {
    reader: createReader(connection),
    tell: async (event, until) => {
      try {
        await publishUpdateEvent(connection, event, until);
      } catch (error) {
        throw isRefused(error) ? needsUpdater(error) : error;
      }
    },
    [Symbol.asyncDispose]: async () => connection.close(),
  };
}

const isRefused = (error: unknown): boolean =>
  error instanceof HomelabError && error.code === "NATS_PERMISSION";

const needsUpdater = (cause: unknown): HomelabError =>
  new HomelabError("refused", "our NATS key may not tell what became of updates", {
    code: "NATS_PERMISSION",
    hint: "run updates with a key of the role updater: `homelab-deploy nats keygen FILE`, then `nats config --updater NAME=KEY`",
    cause,
  });

async function webhookOf({ environment }: Context, config: Config, log: Log): Promise<Teller | undefined> {
  const { webhookFile, webhookOutcomes } = config.update;
  if (webhookFile === undefined) return undefined;
  const credentialsDirectory = environment["CREDENTIALS_DIRECTORY"];
  const { readSecret } = await import("../../../config/secrets.ts");
  const url = await readSecret(resolveSecretPath(webhookFile, credentialsDirectory), {
    credentialsDirectory,
    log,
  });
  return createWebhookTeller(url, webhookOutcomes, fetch);
}
