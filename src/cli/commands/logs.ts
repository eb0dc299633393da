// `homelab-deploy logs`: what is stored of a build's logs, or the whole build as it happens.
import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import type { BuildId } from "../../protocol/names.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import { connectReader } from "../connect.ts";
import { untilInterrupted, type Context } from "../context.ts";
import { findBuild, readBuild } from "../find-build.ts";
import { derivationName, droppedLines } from "../print/log-lines.ts";
import type { OutputChoice } from "../print/output-mode.ts";
import { watchBuild } from "../watch-build.ts";

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  readonly output?: OutputChoice | undefined;
  readonly json?: boolean | undefined;
}

export async function runLogs(
  context: Context,
  text: string,
  host: string | undefined,
  options: LogsOptions,
): Promise<number> {
  const connecting = new AbortController();
  const stop = context.signals.onInterrupt(() => connecting.abort(new Error("interrupted")));
  await using connected = await connectReader(context, connecting.signal);
  const { reader } = connected;
  const id = await findBuild(reader, text, connecting.signal);
  stop();
  if (options.follow === true) {
    if (host !== undefined)
      throw new HomelabError("usage", "--follow shows the whole build", {
        code: "BAD_ARGUMENTS",
        hint: "leave the host out",
      });
    return await watchBuild(context, reader, id, { ...options, printBuildLogs: true });
  }
  const signal = untilInterrupted(context.signals);
  const state = await readBuild(reader, id, signal);
  const wanted = host === undefined ? undefined : logsOfHost(state, host);
  await printLogs(context, reader, id, state, wanted, options.json === true, signal);
  return exitCodes.success;
}

/** The full logs of the failures that break a host. @throws HomelabError `usage` when it is not in the build. */
function logsOfHost(state: BuildState, host: string): ReadonlySet<number> {
  const name = host.slice(host.indexOf("/") + 1);
  if (![...state.hosts.values()].some((known) => known.host === name)) {
    const near = didYouMean(
      name,
      [...state.hosts.values()].map((known) => known.host),
    );
    throw new HomelabError("usage", `${JSON.stringify(name.slice(0, 80))} is not in build ${state.id}`, {
      code: "UNKNOWN_HOST",
      hint:
        near === undefined
          ? `see its hosts: homelab-deploy builds show ${state.id}`
          : `did you mean ${near}?`,
    });
  }
  return new Set(
    state.failures
      .filter((failure) => failure.hosts.some((broken) => broken.host === name))
      .flatMap((failure) => (failure.log === undefined ? [] : [failure.log])),
  );
}

/** A failed derivation is stored twice, live and in full: without a host the full log replaces the live one. */
async function printLogs(
  context: Context,
  reader: BuildReader,
  id: BuildId,
  state: BuildState,
  wanted: ReadonlySet<number> | undefined,
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  const inFull = new Set(
    state.failures.filter(({ log }) => log !== undefined).map(({ drvPath }) => drvPath as string),
  );
  const isWanted = (chunk: LogChunk): boolean =>
    wanted === undefined ? chunk.kind === "full" || !inFull.has(chunk.drvPath) : wanted.has(chunk.log);
  let printed = false;
  let current: number | undefined;
  for await (const chunk of reader.readLogs(id, signal)) {
    if (!isWanted(chunk)) continue;
    printed = true;
    if (json) {
      context.out.write(`${JSON.stringify(chunk)}\n`);
      continue;
    }
    if (chunk.log !== current)
      context.err.write(`${context.errStyle.bold(`${derivationName(chunk.drvPath)}:`)}\n`);
    current = chunk.log;
    if (chunk.dropped > 0) context.err.write(`${context.errStyle.yellow(droppedLines(chunk.dropped))}\n`);
    const text = chunk.text.endsWith("\n") ? chunk.text.slice(0, -1) : chunk.text;
    context.out.write(
      `${text
        .split("\n")
        .map((line) => context.outStyle.log(line))
        .join("\n")}${chunk.text.endsWith("\n") ? "\n" : ""}`,
    );
  }
  if (!printed)
    context.err.write(`${wanted === undefined ? "No log is stored of this build." : reasonOf(state)}\n`);
}

function reasonOf(state: BuildState): string {
  return state.failures.length === 0
    ? "No derivation of this build failed, so no log belongs to one host alone; leave the host out for all logs."
    : "No failed derivation breaks this host; leave the host out for all logs.";
}
