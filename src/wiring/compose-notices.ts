// Who is notified, according to `notify` of the builder or the deployer.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Log } from "../base/log.ts";
import type { NotifySettings } from "../config/notify-schema.ts";
import { readSecret } from "../config/secrets.ts";
import { tellByNtfy, tellWithText, type NewsKind } from "../notify/news-kind.ts";
import { createNtfy } from "../notify/ntfy.ts";
import { combineOutboxes, createOutbox, type Outbox, type Teller } from "../notify/outbox.ts";
import { createScript } from "../notify/script.ts";
import { createWebhook } from "../notify/webhook.ts";
import { createExec } from "../process/create-exec.ts";
import { ownerEnvironment } from "../process/owner.ts";
import { useNetworkOf } from "./own-network.ts";

export interface NoticesOptions<News extends object> {
  readonly notify: NotifySettings;
  /** The state directory of the service: what was not told yet stays there. */
  readonly stateDirectory: string;
  readonly kind: NewsKind<News>;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Undefined where nobody is to be told.
 *
 * @throws HomelabError `config` for a secret that cannot be read, or is not an address
 */
export async function composeNotices<News extends object>({
  notify: { webhookFile, ntfyFile, ntfyTokenFile, script },
  stateDirectory,
  kind,
  environment,
  clock,
  log,
}: NoticesOptions<News>): Promise<Outbox<News> | undefined> {
  const secret = async (file: string): Promise<string> =>
    readSecret(file, { credentialsDirectory: environment["CREDENTIALS_DIRECTORY"], log });
  const outboxes: Outbox<News>[] = [];
  const add = (name: string, tell: Teller<News>): void =>
    void outboxes.push(createOutbox(join(stateDirectory, "news", name), kind, tell, log));
  if (webhookFile !== undefined || ntfyFile !== undefined) useNetworkOf(environment);
  if (webhookFile !== undefined) {
    add("webhook", tellWithText(kind, createWebhook(await secret(webhookFile), fetch)));
  }
  if (ntfyFile !== undefined) {
    const token = ntfyTokenFile === undefined ? undefined : await secret(ntfyTokenFile);
    add("ntfy", tellByNtfy(kind, createNtfy(await secret(ntfyFile), token, fetch)));
  }
  const [program, ...args] = script;
  if (program !== undefined) {
    const exec = createExec(clock, ownerEnvironment(stateDirectory));
    add("script", tellWithText(kind, createScript([program, ...args], environment, exec)));
  }
  return outboxes.length === 0 ? undefined : combineOutboxes(outboxes);
}
