// `/builds/ID/logs/N`: the log of a derivation. `/deployments/REPO/HOST/ORDER/log`: what an activation printed.
import { HomelabError } from "../../../base/errors.ts";
import { isOver } from "../../../protocol/build-state.ts";
import type { Deployment } from "../../../protocol/deploy/deployment.ts";
import { fullName } from "../../../protocol/names.ts";
import { derivationName } from "../../../protocol/store-paths/derivation-name.ts";
import { deployEndText } from "../../../words/deploy-words.ts";
import { hostList } from "../../../words/host-names.ts";
import { onMachine } from "../../../words/machine-words.ts";
import type { LogName } from "../../log/log-name.ts";
import { buildPath, hostPath, logPath, outputPath } from "../../page/addresses.ts";
import { html } from "../../page/html.ts";
import type { Page } from "../../page/page.ts";
import { moment } from "../../page/parts.ts";
import { noPermission } from "../error-pages.ts";
import type { ShownLog } from "./log-rows.ts";
import { logView } from "./log-view.ts";
import type { PageContext } from "../page-context.ts";

type Named<T extends LogName["type"]> = Extract<LogName, { type: T }>;

export async function logPage(context: PageContext, name: LogName, signal: AbortSignal): Promise<Page> {
  if (!context.showsLogs)
    return noPermission("Logs can contain secrets, so only signed-in users can see them.");
  const log =
    name.type === "build"
      ? await derivationLog(context, name, signal)
      : await activationOutput(context, name, signal);
  return logView(context, log, signal);
}

async function derivationLog(
  { logs, fleet }: PageContext,
  name: Named<"build">,
  signal: AbortSignal,
): Promise<ShownLog> {
  const { build, log } = name;
  const head = await logs.head(name, signal);
  if (head === undefined) {
    throw new HomelabError("usage", `build ${build} has no log ${log}, or it is no longer stored`, {
      code: "UNKNOWN_LOG",
      hint: "logs are kept for 14 days; the reasons of failures are on the build's page for 30",
    });
  }
  const { drvPath, kind, hosts, machine } = head;
  const state = await fleet.build(build, signal).catch(() => undefined);
  signal.throwIfAborted();
  const title = derivationName(drvPath);
  return {
    name,
    path: logPath(build, log),
    title,
    crumbs: html`<a href="/builds">Builds</a> / <a href="${buildPath(build)}">${build.slice(0, 10)}</a> / <a href="${buildPath(build)}/logs">Logs</a>`,
    about: html`${kind === "live" ? "as it came" : "the whole log, from the store"}${hosts !== undefined && html` · for ${hostList(hosts)}`}${machine !== undefined && html` · built${onMachine(machine)}`}`,
    origin: html`<code class="path">${drvPath}</code>`,
    isLive: state !== undefined && !isOver(state) && kind === "live",
    failure: state?.failures.find((each) => each.drvPath === drvPath)?.reason,
    place: "/builds",
    command: ["the same log", `homelab-deploy logs ${build} --drv ${title.replace(/[^\w.+-]/g, "_")}`],
  };
}

async function activationOutput(
  { logs, fleet }: PageContext,
  name: Named<"deployment">,
  signal: AbortSignal,
): Promise<ShownLog> {
  const { host, repo, order } = name;
  const deployments = await fleet.deployments(name, signal);
  const deployment = deployments.find((each) => each.order === order);
  if (deployment === undefined && (await logs.total(name, signal)) === 0) {
    throw new HomelabError(
      "usage",
      `${fullName(name)} printed nothing for order ${order}, or it is no longer stored`,
      {
        code: "UNKNOWN_LOG",
        hint: "output of activations is kept for 30 days",
      },
    );
  }
  return {
    name,
    path: outputPath(name, order),
    title: `Activation on ${host}`,
    crumbs: html`<a href="/">Fleet</a> / <a href="${hostPath(name)}">${repo}/${host}</a> / Deployment`,
    about: deployment === undefined ? "" : html`${deployment.phase} · ${moment(deployment.startedAt)}`,
    origin: html`Order <code>${order}</code>`,
    isLive: deployment !== undefined && deployment.end === undefined,
    failure: failureOf(deployment),
    place: "/",
    command: ["the host and its deployments", `homelab-deploy hosts show ${fullName(name)}`],
  };
}

const failed: readonly string[] = ["failed", "rolled-back", "rollback-failed"];

function failureOf(deployment: Deployment | undefined): string | undefined {
  const { end } = deployment ?? {};
  return end !== undefined && failed.includes(end.outcome) ? deployEndText(end) : undefined;
}
