// Tries health checks: a unit that runs, a page, a port, a program.
import { connect } from "node:net";
import { messageOf } from "../base/errors.ts";
import type { HealthCheck } from "../protocol/deploy/host-policy.ts";
import { lastLineOf, type HostPrograms } from "./host-programs.ts";
import { readActiveState } from "./systemd/active-state.ts";
import type { Probe, ProbeAnswer } from "./probe.ts";

/** One try; the check as a whole has its own limit. */
const tryMs = 10_000;

export function createProbe(programs: HostPrograms): Probe {
  return async (check, signal) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(tryMs)]);
    try {
      return await tryOnce(programs, check, limited);
    } catch (error) {
      signal.throwIfAborted();
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { ok: false, detail: limited.aborted ? "it did not answer in 10 s" : messageOf(cause) };
    }
  };
}

async function tryOnce(
  programs: HostPrograms,
  { unit, http, tcp, exec }: HealthCheck,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (unit !== undefined) return tryUnit(programs, unit, signal);
  if (http !== undefined) return tryPage(http, signal);
  if (tcp !== undefined) return tryPort(tcp, signal);
  const [file, ...args] = exec ?? [];
  if (file === undefined) return { ok: false, detail: "the check names nothing to try" };
  const result = await programs.ask(file, args, signal, { timeoutMs: tryMs });
  return result.exitCode === 0 ? { ok: true } : { ok: false, detail: lastLineOf(result) };
}

async function tryUnit(programs: HostPrograms, unit: string, signal: AbortSignal): Promise<ProbeAnswer> {
  const state = await readActiveState(programs, unit, signal);
  return state === "active" ? { ok: true } : { ok: false, detail: `${unit} is ${state}` };
}

/** A redirect is an answer: nobody follows it, it may lead anywhere. */
async function tryPage(address: string, signal: AbortSignal): Promise<ProbeAnswer> {
  const response = await fetch(address, { signal, redirect: "manual" });
  await response.body?.cancel();
  return response.status < 400 ? { ok: true } : { ok: false, detail: `HTTP ${response.status}` };
}

async function tryPort(address: string, signal: AbortSignal): Promise<ProbeAnswer> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(?<inner>.*)\]$/, "$<inner>");
  const { promise, resolve, reject } = Promise.withResolvers<ProbeAnswer>();
  const socket = connect({ host, port: Number(address.slice(colon + 1)), signal });
  socket.once("connect", () => resolve({ ok: true }));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
