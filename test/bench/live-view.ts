import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import { createRenderer } from "../../src/cli/print/create-renderer.ts";
import { createStyle } from "../../src/cli/print/style.ts";
import { decodeProgress, encodeProgress, type HostProgress } from "../../src/protocol/progress.ts";
import { hostRef, progressOf, scriptBuild } from "../support/build-events.ts";
import { atMost, type BenchResult } from "./bench.ts";

const hosts = 1000;
const derivations = 5000;
const seconds = 10;
/** As often as a builder says something. */
const intervalMs = 100;

/** The live view of a large build: what it is told in ten seconds, and what it draws meanwhile. */
export async function runLiveView(): Promise<readonly BenchResult[]> {
  const names = Array.from({ length: hosts }, (_, index) => `host${index}.example.org`);
  const script = scriptBuild()
    .accepted(names)
    .evaluated(...names)
    .building(...names);
  const style = createStyle({ colour: true, ascii: false });
  const out = { write: () => true, columns: 120, rows: 50, isTTY: true };
  const renderer = createRenderer("tty", {
    out,
    err: out,
    outStyle: style,
    errStyle: style,
    clock: systemClock,
    keyHint: "Ctrl-C detaches",
  });
  renderer.start(script.id);
  for (const event of script.events) renderer.message({ type: "event", event });
  const nameOf = (index: number): string => names[index % hosts] ?? "";
  const messages = Array.from({ length: (seconds * 1000) / intervalMs }, (_, count) =>
    encodeProgress(
      progressOf({
        builds: { done: count, running: 32, failed: 0, total: derivations },
        running: Array.from({ length: 32 }, (__, index) => ({
          name: `package-${(count + index) % derivations}-1.0`,
          phase: "buildPhase",
          elapsedMs: count * intervalMs,
          usualMs: 60_000,
          host: hostRef(nameOf(count + index)),
        })),
        hosts: Array.from({ length: 200 }, (__, index): HostProgress => ({
          ...hostRef(nameOf(count * 200 + index)),
          built: count % 50,
          toBuild: 50,
        })),
      }),
    ),
  );
  const finished = messages.map((_, count) => script.hostsFinished("built", [nameOf(count)]).events.at(-1));

  const [before, started] = [process.cpuUsage(), performance.now()];
  for (const [count, message] of messages.entries()) {
    renderer.message({ type: "progress", progress: decodeProgress(message) });
    const event = finished[count];
    if (event !== undefined) renderer.message({ type: "event", event });
    await sleep(intervalMs);
  }
  const { user, system } = process.cpuUsage(before);
  renderer.interrupted();
  const share = (user + system) / 1000 / (performance.now() - started);
  return [
    {
      what: `live view of ${hosts} hosts with ${derivations} derivations: share of a core`,
      ours: `${(share * 100).toFixed(1)} %`,
      goal: atMost(share * 100, 5, " %"),
    },
  ];
}
