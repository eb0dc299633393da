// `homelab-deploy builds list|show|cancel`
import { HomelabError } from "../../../base/errors.ts";
import { isOver } from "../../../protocol/build-state.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { buildJson } from "../../builds/build-json.ts";
import { connectReader } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { findBuild, readBuild, readBuilds } from "../../builds/find-build.ts";
import { rememberNames } from "../../arguments/known-names.ts";
import { renderBuilds } from "../../print/pages/builds-table.ts";
import { isWorkflowRunner } from "../../print/output-mode.ts";
import { renderSummary } from "../../print/summary/summary.ts";
import { randomToken, textWithoutCommands } from "../../print/lines/workflow-commands.ts";

interface Json {
  readonly json?: boolean | undefined;
}

const write = (context: Context, document: object): void =>
  void context.out.write(`${JSON.stringify(document, undefined, 2)}\n`);

export async function runBuildsList(
  context: Context,
  options: Json & { readonly limit: number; readonly absolute?: boolean | undefined },
): Promise<number> {
  const signal = untilInterrupted(context.signals);
  await using connected = await connectReader(context, signal);
  const ids = await connected.reader.listBuilds(signal);
  const states = await readBuilds(connected.reader, ids.slice(0, options.limit), signal);
  const queued = await connected.reader.queueLength(signal);
  await rememberNames(context.environment, { builds: ids });
  if (options.json === true) write(context, { builds: states.map(buildJson), queued });
  else {
    context.out.write(
      renderBuilds(states, {
        style: context.outStyle,
        width: context.out.columns,
        now: context.clock.now(),
        absolute: options.absolute,
        ids,
      }),
    );
    if (queued > 0)
      context.err.write(`${queued === 1 ? "1 request waits" : `${queued} requests wait`} for a builder.\n`);
  }
  return exitCodes.success;
}

export async function runBuildsShow(
  context: Context,
  text: string,
  options: Json & { readonly showTrace?: boolean | undefined },
): Promise<number> {
  const signal = untilInterrupted(context.signals);
  await using connected = await connectReader(context, signal);
  const state = await readBuild(connected.reader, await findBuild(connected.reader, text, signal), signal);
  if (options.json === true) write(context, buildJson(state));
  else {
    const summary = renderSummary(state, {
      style: context.outStyle,
      width: context.out.columns,
      showTrace: options.showTrace,
      warnings: true,
    });
    const inRunner = isWorkflowRunner(context.environment);
    context.out.write(inRunner ? textWithoutCommands(summary, randomToken()) : summary);
  }
  return exitCodes.success;
}

/** How long a cancelled build may take to say so, before we only say that we asked. */
const confirmMs = 10_000;

export async function runBuildsCancel(context: Context, text: string, options: Json): Promise<number> {
  const signal = untilInterrupted(context.signals);
  await using connected = await connectReader(context, signal);
  const { reader } = connected;
  const id = await findBuild(reader, text, signal);
  const last = await reader.lastEvent(id, signal);
  if (last !== undefined) {
    const before = await readBuild(reader, id, signal);
    if (isOver(before)) {
      throw new HomelabError(
        "refused",
        `build ${id} is over: it ${before.status === "succeeded" ? "succeeded" : `ended as ${before.status}`}`,
        { code: "BUILD_OVER" },
      );
    }
  }
  await reader.control(id, { action: "cancel" }, signal);
  const ended = await endsSoon(reader, id, signal);
  if (options.json === true) write(context, { build: id, cancelled: ended });
  else
    context.out.write(
      ended
        ? `Build ${id} is cancelled.\n`
        : `Build ${id} is asked to stop; no builder has confirmed it yet.\n`,
    );
  return exitCodes.success;
}

async function endsSoon(
  reader: Parameters<typeof readBuild>[0],
  id: Parameters<typeof readBuild>[1],
  signal: AbortSignal,
): Promise<boolean> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(confirmMs)]);
  try {
    for await (const message of reader.follow(id, {}, patience)) void message;
    return isOver(await readBuild(reader, id, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (patience.aborted) return false;
    throw error;
  }
}
