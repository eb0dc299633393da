// What commands about builds start with: a reader of builds, and the signals that end the command.
import type { BuildReader } from "../../bus/bus.ts";
import type { Config } from "../../config/schema.ts";
import type { Context } from "../context.ts";
import { connectCommand, loadCommandConfig } from "./connect.ts";
import { interruptible, type Interruptible } from "./signals.ts";

export interface ConnectedReader extends AsyncDisposable {
  readonly reader: BuildReader;
}

/** A connection and a reader on it. */
export async function connectReader(
  context: Context,
  config: Config,
  signal: AbortSignal,
): Promise<ConnectedReader> {
  const connection = await connectCommand(context, config, signal);
  const { createReader } = await import("../../bus/create-reader.ts");
  return { reader: createReader(connection), [Symbol.asyncDispose]: () => connection.close() };
}

export type ReaderSession = ConnectedReader & Interruptible;

/** The same until SIGINT or SIGTERM, or until those are handed over. */
export async function openReader(context: Context, config?: Config): Promise<ReaderSession> {
  const interrupts = interruptible(context.signals);
  const connected = await connectReader(
    context,
    config ?? (await loadCommandConfig(context)),
    interrupts.signal,
  );
  return { ...interrupts, ...connected };
}

/** The same with a builder in this process instead of NATS. */
export async function openLocalReader(context: Context): Promise<ReaderSession> {
  const interrupts = interruptible(context.signals);
  const { startLocalBuilder } = await import("./local-builder.ts");
  const builder = await startLocalBuilder(context, await loadCommandConfig(context), interrupts.signal);
  return { ...interrupts, ...builder };
}
