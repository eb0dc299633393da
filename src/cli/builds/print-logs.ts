// `homelab-deploy logs` without `--follow`: what is stored of a build's logs.
import type { BuildReader } from "../../bus/bus.ts";
import { isOver } from "../../protocol/build-state.ts";
import type { BuildId, FullHostName } from "../../protocol/names.ts";
import { followCommand } from "../../words/next-commands.ts";
import type { Context } from "../context.ts";
import { createJsonLogPrinter, createLogPrinter, lastLines } from "../print/lines/stored-logs.ts";
import { randomToken } from "../print/lines/workflow-commands.ts";
import { isWorkflowRunner } from "../print/output-mode.ts";
import { readBuild } from "../../fleet/find-build.ts";
import { explainNoLogs, selectLogs, type HostsOfLogs, type LogSelection } from "./select-logs.ts";

export interface LogsSpecification extends LogSelection {
  /** Only so many lines at the end of each. */
  readonly tail: number | undefined;
  readonly json: boolean;
}

export async function printLogs(
  context: Context,
  reader: BuildReader,
  id: BuildId,
  specification: LogsSpecification,
  signal: AbortSignal,
): Promise<void> {
  const runnerToken = isWorkflowRunner(context.environment) ? randomToken() : undefined;
  const whole = specification.json
    ? createJsonLogPrinter(context.out)
    : createLogPrinter({ ...context, runnerToken });
  const printer = specification.tail === undefined ? whole : lastLines(specification.tail, whole);
  const state = await readBuild(reader, id, signal);
  const hosts = specification.host === undefined ? new Map() : await readHostsOfLogs(reader, id, signal);
  const isSelected = selectLogs(state, specification, hosts);
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
  if (!printed) context.err.write(`${context.errStyle.clean(explainNoLogs(state, specification))}\n`);
  // What was printed looks like all there is.
  if (!isOver(state)) {
    context.err.write(
      `The build still runs; this is what is stored so far. Follow it: ${followCommand(id)}\n`,
    );
  }
}

/**
 * A log's first chunks may not know the hosts yet that later ones name: so all are read before any is printed. When a
 * later one names none again, they have become too many.
 */
export async function readHostsOfLogs(
  reader: BuildReader,
  id: BuildId,
  signal: AbortSignal,
): Promise<HostsOfLogs> {
  const hosts = new Map<number, readonly FullHostName[]>();
  for await (const chunk of reader.readLogs(id, signal)) {
    if (chunk.hosts === undefined) hosts.delete(chunk.log);
    else hosts.set(chunk.log, [...new Set([...(hosts.get(chunk.log) ?? []), ...chunk.hosts])]);
  }
  return hosts;
}
