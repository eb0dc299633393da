// `homelab-deploy logs`: what is stored of a build's logs, or the whole build as it happens.
import { HomelabError } from "../../../base/errors.ts";
import type { BuildReader } from "../../../bus/bus.ts";
import type { BuildId, FullHostName } from "../../../protocol/names.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { connectReader } from "../../session/connect.ts";
import { interruptible, untilInterrupted, type Context } from "../../context.ts";
import { findBuild, readBuild } from "../../builds/find-build.ts";
import { isWorkflowRunner, type OutputChoice } from "../../print/output-mode.ts";
import {
  createJsonLogPrinter,
  createLogPrinter,
  lastLines,
  type LogPrinter,
} from "../../print/lines/stored-logs.ts";
import { randomToken } from "../../print/lines/workflow-commands.ts";
import { explainNoLogs, selectLogs, type HostsOfLogs, type LogSelection } from "../../builds/select-logs.ts";
import { watchBuild } from "../../builds/watch-build.ts";

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  readonly failed?: boolean | undefined;
  readonly tail?: number | undefined;
  readonly drv?: string | undefined;
  readonly output?: OutputChoice | undefined;
  readonly json?: boolean | undefined;
}

export async function runLogs(
  context: Context,
  text: string,
  host: string | undefined,
  options: LogsOptions,
): Promise<number> {
  const { follow, failed, tail, drv: derivation } = options;
  const selection: LogSelection = { host, failed, derivation };
  if (follow === true && [host, failed, tail, derivation].some((given) => given !== undefined)) {
    throw new HomelabError("usage", "--follow shows the whole build", {
      code: "BAD_ARGUMENTS",
      hint: "leave the host, --failed, --tail and --drv out",
    });
  }
  const starting = interruptible(context.signals);
  await using connected = await connectReader(context, starting.signal);
  const { reader } = connected;
  const id = await findBuild(reader, text, starting.signal);
  starting.proceed();
  if (follow === true) return await watchBuild(context, reader, id, { ...options, printBuildLogs: true });
  await printLogs(context, reader, id, selection, printerOf(context, options));
  return exitCodes.success;
}

function printerOf(context: Context, { json, tail }: LogsOptions): LogPrinter {
  const runnerToken = isWorkflowRunner(context.environment) ? randomToken() : undefined;
  const printer =
    json === true ? createJsonLogPrinter(context.out) : createLogPrinter({ ...context, runnerToken });
  return tail === undefined ? printer : lastLines(tail, printer);
}

async function printLogs(
  context: Context,
  reader: BuildReader,
  id: BuildId,
  selection: LogSelection,
  printer: LogPrinter,
): Promise<void> {
  const signal = untilInterrupted(context.signals);
  const state = await readBuild(reader, id, signal);
  const hosts = selection.host === undefined ? new Map() : await readHostsOfLogs(reader, id, signal);
  const isSelected = selectLogs(state, selection, hosts);
  let printed = false;
  try {
    for await (const chunk of reader.readLogs(id, signal)) {
      if (!isSelected(chunk) || (chunk.text === "" && chunk.dropped === 0)) continue;
      printed = true;
      printer.chunk(chunk);
    }
  } finally {
    printer.end();
  }
  if (!printed) context.err.write(`${context.errStyle.clean(explainNoLogs(state, selection))}\n`);
}

/**
 * A log's first chunks may not know the hosts yet that later ones name: so all are read before any is printed. When a
 * later one names none again, they have become too many.
 */
async function readHostsOfLogs(reader: BuildReader, id: BuildId, signal: AbortSignal): Promise<HostsOfLogs> {
  const hosts = new Map<number, readonly FullHostName[]>();
  for await (const chunk of reader.readLogs(id, signal)) {
    if (chunk.hosts === undefined) hosts.delete(chunk.log);
    else hosts.set(chunk.log, [...new Set([...(hosts.get(chunk.log) ?? []), ...chunk.hosts])]);
  }
  return hosts;
}
