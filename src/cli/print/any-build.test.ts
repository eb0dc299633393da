// Whatever happens to a build, every output shows it to the end.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hostRef, progressOf, sampleBuild, scriptBuild } from "../../../test/support/build-events.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import type { BuildMessage } from "../../bus/bus.ts";
import { isOver } from "../../protocol/build-state.ts";
import { parseBuilderName } from "../../protocol/names.ts";
import { buildVerdicts, hostVerdicts } from "../../protocol/verdicts.ts";
import { closingSentence } from "../../words/closing-sentence.ts";
import { createRenderer } from "./create-renderer.ts";
import type { OutputMode } from "./output-mode.ts";
import { createStyle } from "./style.ts";

const names = ["web01", "nas", "gitea", "nixos/laptop"];
const someHosts = fc.subarray(names, { minLength: 1 });
const anyText = fc.string({ unit: "binary", maxLength: 20 });
const hostVerdict = fc.constantFrom(...hostVerdicts);

type Script = ReturnType<typeof scriptBuild>;

/** What can happen between the first event and the last, in any order: the fold takes it all. */
const step: fc.Arbitrary<(script: Script) => void> = fc.oneof(
  someHosts.map((hosts) => (script: Script) => void script.evaluated(...hosts)),
  someHosts.map((hosts) => (script: Script) => void script.building(...hosts)),
  fc.tuple(hostVerdict, someHosts, fc.option(anyText, { nil: undefined })).map(
    ([verdict, hosts, reason]) =>
      (script: Script) =>
        void script.hostsFinished(verdict, hosts, reason === undefined ? {} : { reason, details: reason }),
  ),
  fc.tuple(someHosts, fc.constantFrom("failed", "timed-out", "infra"), anyText, fc.boolean()).map(
    ([hosts, kind, reason, orphan]) =>
      (script: Script) =>
        void script.derivationFailed("linux-6.18.4", orphan ? [] : hosts, { kind, reason, tail: [reason] }),
  ),
  anyText.map((message) => (script: Script) => void script.event({ type: "warning", message })),
  someHosts.map(
    (hosts) => (script: Script) =>
      void script.event({ type: "retrying", hosts: hosts.map(hostRef), reason: "x", attempt: 2, delayMs: 1 }),
  ),
  fc.constant((script: Script) => void script.event({ type: "resumed", builder: parseBuilderName("old") })),
  fc.nat({ max: 100_000 }).map((ms) => (script: Script) => void script.wait(ms)),
);

const build: fc.Arbitrary<Script> = fc
  .tuple(
    fc.array(step, { maxLength: 12 }),
    fc.option(fc.constantFrom(...buildVerdicts), { nil: undefined }),
    fc.constantFrom("normal", "rejected", "never accepted"),
  )
  .map(([steps, verdict, life]) => {
    const script = scriptBuild();
    if (life === "rejected") return script.event({ type: "rejected", code: "X", message: "no such host" });
    if (life === "never accepted") return script;
    script.accepted(names);
    for (const take of steps) take(script);
    return verdict === undefined ? script : script.finished(verdict, "the reason");
  });

const betweenEvents: readonly BuildMessage[] = [
  {
    type: "progress",
    progress: progressOf({ note: "x", hosts: [{ ...hostRef("web01"), built: 9, toBuild: 0 }] }),
  },
  { type: "connection", connected: false },
  {
    type: "log",
    chunk: { build: sampleBuild, log: 1, index: 0, drvPath: "x", kind: "live", dropped: 1, text: "CC\n" },
  },
];

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";

function ending(mode: OutputMode, { state, events }: Script): string {
  if (mode !== "jsonl") {
    return state.status === "rejected" ? `build ${state.id} was rejected` : closingSentence(state);
  }
  return isOver(state) ? `"type":"${events.at(-1)?.type}"` : "";
}

test("any build is shown in every output without a failure, and ends with the right sentence", async () => {
  await fc.assert(
    fc.asyncProperty(
      build,
      fc.constantFrom("tty" as const, "plain" as const, "github" as const, "jsonl" as const),
      fc.constantFrom("quiet" as const, "verbose" as const, undefined),
      fc.integer({ min: 1, max: 200 }),
      async (script, mode, detail, columns) => {
        const clock = createFakeClock();
        const style = createStyle({ colour: false, ascii: false });
        const written = { out: "", err: "" };
        const renderer = createRenderer(mode, {
          out: { write: (text) => (written.out += text) },
          err: { columns, rows: 10, write: (text) => (written.err += text) },
          outStyle: style,
          errStyle: style,
          clock,
          buildLogs: true,
          showTrace: true,
          detail,
        });
        renderer.start(script.id);
        for (const event of script.events) {
          renderer.message({ type: "event", event });
          for (const message of betweenEvents) renderer.message(message);
          await clock.advance(100);
        }
        renderer.finish(script.state);
        renderer.interrupted();
        expect(clock.sleepers).toBe(0);
        const text = mode === "jsonl" ? lastLine(written.out) : written.out;
        expect(text).toContain(ending(mode, script));
      },
    ),
    { numRuns: 300 },
  );
});
