import * as v from "valibot";
import { machineName } from "../../protocol/machine-name.ts";
import { StorePath } from "../../protocol/names.ts";
import type { NixActivity } from "../realiser.ts";
import { waitingReason } from "../words/waiting-reason.ts";
import { addSign, isAuthentic, noEvidence, type SaidMessage, type Sign } from "./authenticity.ts";
import {
  createNixLogReader,
  parseCounts,
  type Counts,
  type NixLogEvent,
  type NixLogReader,
} from "./nix-log.ts";

/** Understands Nix's log as it comes: whose each line is, and which messages are Nix's own. */
export function createActivityLog(onActivity: (activity: NixActivity) => void): NixLogReader {
  /** By Nix's ids. */
  const builds = new Map<string, StorePath>();
  const hooks = new Map<string, StorePath>();
  const totals = new Map<string, "builds" | "fetches">();
  const waits = new Map<string, string>();
  /** A build on another machine is two activities for one derivation: ours around the other machine's. */
  const activitiesOf = new Map<StorePath, number>();
  /** The last progress of each total and each transfer, as it came. */
  const lastProgress = new Map<string, string>();
  let counts: Counts = [0, 0, 0, 0];
  let fetches: Counts = [0, 0, 0, 0];
  let evidence = noEvidence;

  function note(sign: Sign): void {
    evidence = addSign(evidence, sign);
  }

  function start(id: string, drvPath: StorePath, machine: string | undefined): void {
    builds.set(id, drvPath);
    note({ type: "build-started", building: builds.size });
    const activities = activitiesOf.get(drvPath) ?? 0;
    activitiesOf.set(drvPath, activities + 1);
    if (activities > 0) return;
    onActivity({
      type: "derivation-started",
      drvPath,
      ...(machine === undefined ? {} : { machine: machineName(machine) }),
    });
  }

  function stop(id: string): void {
    const drvPath = builds.get(id);
    if (drvPath === undefined) {
      if (waits.delete(id)) sayWaits();
      totals.delete(id);
      lastProgress.delete(id);
      stopHook(id);
      return;
    }
    builds.delete(id);
    const failed = evidence.failureCounted || undefined;
    note({ type: "build-stopped", building: builds.size, drvPath });
    const left = (activitiesOf.get(drvPath) ?? 1) - 1;
    if (left > 0) {
      activitiesOf.set(drvPath, left);
    } else {
      activitiesOf.delete(drvPath);
      onActivity({ type: "derivation-stopped", drvPath, failed });
    }
  }

  function sayWaits(): void {
    const [longest] = waits.values();
    onActivity({ type: "waiting", reason: longest });
  }

  function stopHook(id: string): void {
    const drvPath = hooks.get(id);
    if (drvPath === undefined) return;
    hooks.delete(id);
    onActivity({ type: "hook-stopped", drvPath });
  }

  function takeProgress(id: string, text: string): void {
    // Nix repeats itself: after each step it gives all counts again.
    const isRepeated = lastProgress.get(id) === text;
    lastProgress.set(id, text);
    const now = isRepeated ? undefined : parseCounts(text);
    const of = totals.get(id);
    if (of === undefined) takeTransfer(now);
    else if (of === "fetches") takeFetches(now);
    else if (isRepeated) note({ type: "counted-again" });
    else takeCounts(now);
  }

  function takeCounts(now: Counts | undefined): void {
    if (now === undefined) return;
    const [done, expected, running, failed] = now;
    note({ type: "counted", running, failed });
    if (now.every((count, index) => count === counts[index])) return;
    counts = now;
    onActivity({ type: "build-counts", done, expected, running, failed });
  }

  function takeTransfer(now: Counts | undefined): void {
    if (now !== undefined) onActivity({ type: "transferred" });
  }

  function takeFetches(now: Counts | undefined): void {
    if (now === undefined) return;
    const [done, expected] = now;
    if (done === fetches[0] && expected === fetches[1]) return;
    fetches = now;
    onActivity({ type: "fetch-counts", done, expected });
  }

  function takeLogLine(drvPath: StorePath | undefined, line: string): void {
    note({ type: "other" });
    if (drvPath !== undefined) onActivity({ type: "log-lines", drvPath, lines: [line] });
  }

  function takePhase(drvPath: StorePath | undefined, phase: string): void {
    note({ type: "other" });
    if (drvPath !== undefined && phase !== "") onActivity({ type: "phase", drvPath, phase });
  }

  function takeMessage(message: SaidMessage): void {
    const authentic = isAuthentic(evidence, message);
    note({ type: "message", message });
    const { level, text, own } = message;
    const planned = authentic && level === planLevel ? plannedDerivation(text) : undefined;
    if (planned !== undefined) onActivity({ type: "derivation-planned", drvPath: planned });
    else if (text.trim() !== "") onActivity({ type: "message", message: { level, text, authentic, own } });
  }

  return createNixLogReader((event: NixLogEvent) => {
    switch (event.type) {
      case "build-started":
        start(event.id, event.drvPath, event.machine);
        break;
      case "hook-started":
        hooks.set(event.id, event.drvPath);
        note({ type: "other" });
        onActivity({ type: "hook-started", drvPath: event.drvPath });
        break;
      case "total-started":
        totals.set(event.id, event.of);
        note({ type: "other" });
        break;
      case "waiting-started":
        note({ type: "other" });
        waits.set(event.id, waitingReason(event.text));
        sayWaits();
        break;
      case "other-started":
        note({ type: "other" });
        break;
      case "stopped":
        stop(event.id);
        break;
      case "progress":
        takeProgress(event.id, event.text);
        break;
      case "log-line":
        takeLogLine(builds.get(event.id), event.text);
        break;
      case "hook-line":
        takeLogLine(hooks.get(event.id), event.text);
        break;
      case "phase":
        takePhase(builds.get(event.id), event.text);
        break;
      case "message":
        takeMessage(event);
        break;
      case "foreign": {
        const { level, text } = event;
        onActivity({ type: "message", message: { level, text, authentic: false, foreign: true } });
      }
    }
  });
}

/** Behind "these 7 derivations will be built:", a line for each. */
const planLevel = 3;

function plannedDerivation(text: string): StorePath | undefined {
  if (!text.startsWith("  /") || !text.endsWith(".drv")) return undefined;
  const path = v.safeParse(StorePath, text.slice(2));
  return path.success ? path.output : undefined;
}
