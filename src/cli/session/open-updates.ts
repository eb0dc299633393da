// What `update` works with: builds, Nix, and whom it tells.
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { Config } from "../../config/schema.ts";
import { resolveSecretPath } from "../../config/secrets.ts";
import { createNix } from "../../nix/create-nix.ts";
import { createExec } from "../../process/create-exec.ts";
import { ownerEnvironment } from "../../process/owner.ts";
import type { Teller } from "../../notify/outbox.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { createWebhook } from "../../notify/webhook.ts";
import { createUpdateTeller } from "../../update/tell/webhook.ts";
import type { ComposeUpdateOptions } from "../../wiring/updates/compose-update.ts";
import { createInputAccess } from "../../wiring/input-access.ts";
import { endLeftBehindIn } from "../../wiring/end-left-behind-in.ts";
import { prepareStateDirectory } from "../../wiring/state-directory.ts";
import { useNetworkOf } from "../../wiring/own-network.ts";
import type { Context } from "../context.ts";
import { connectCommand } from "./connect.ts";
import { startLocalBuilder, userStateDirectory } from "./local-builder.ts";
import { createPeopleLog } from "./people-log.ts";

/** Everything but the repo and what is wanted of it. */
export type OpenUpdates = AsyncDisposable &
  Pick<
    ComposeUpdateOptions,
    "environment" | "clock" | "config" | "stateDirectory" | "nix" | "exec" | "builds" | "tellers" | "log"
  >;

/** @param isLocal whether a builder in this process builds, instead of one behind NATS */
export async function openUpdates(
  context: Context,
  config: Config,
  isLocal: boolean,
  signal: AbortSignal,
): Promise<OpenUpdates> {
  const { clock, environment } = context;
  const stateDirectory = stateDirectoryOf(context, config);
  const log = createPeopleLog(context);
  await prepareStateDirectory(stateDirectory, "update.stateDirectory");
  await endLeftBehindIn(stateDirectory, { clock, log }, signal);
  const exec = createExec(clock, ownerEnvironment(stateDirectory));
  await using opening = new AsyncDisposableStack();
  const builders = opening.use(
    await connectBuilds(context, config, { isLocal, stateDirectory, log }, signal),
  );
  const nix = await createNix(
    {
      exec,
      environment,
      stateDirectory: join(stateDirectory, "nix"),
      inputAccess: createInputAccess({ config, stateDirectory, environment }),
      clock,
      log,
    },
    signal,
  );
  const tellers = { nats: builders.tell, webhook: await webhookOf(context, config, log) };
  const opened = opening.move();
  return {
    environment,
    clock,
    config,
    stateDirectory,
    nix,
    exec,
    builds: builders.reader,
    tellers,
    log,
    [Symbol.asyncDispose]: async () => opened.disposeAsync(),
  };
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
  readonly tell: Teller<UpdateEvent> | undefined;
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
  const connection = await connectCommand(context, config, signal, log);
  const [{ createReader }, { publishUpdateEvent }] = await Promise.all([
    import("../../bus/create-reader.ts"),
    import("../../bus/publish-update.ts"),
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
  new HomelabError("refused", "our NATS key may not announce updates", {
    code: "NATS_PERMISSION",
    hint: "run updates with a key of the role updater: `homelab-deploy nats keygen FILE`, then `nats config --updater NAME=KEY`",
    cause,
  });

async function webhookOf(
  { environment }: Context,
  config: Config,
  log: Log,
): Promise<Teller<UpdateEvent> | undefined> {
  const { webhookFile, webhookOutcomes } = config.update;
  if (webhookFile === undefined) return undefined;
  const credentialsDirectory = environment["CREDENTIALS_DIRECTORY"];
  useNetworkOf(environment);
  const { readSecret } = await import("../../config/secrets.ts");
  const url = await readSecret(resolveSecretPath(webhookFile, credentialsDirectory), {
    credentialsDirectory,
    log,
  });
  return createUpdateTeller(createWebhook(url, fetch), webhookOutcomes);
}
