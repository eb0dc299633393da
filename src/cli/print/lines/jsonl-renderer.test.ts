import { expect, test } from "vitest";
import { progressOf, scriptBuild } from "../../../../test/support/build-events.ts";
import { eventfulBuild, finishRecorded, recordRenderer } from "../../../../test/support/recorded-renderer.ts";

test("each event as it is on the wire, once, and the terminal one last", () => {
  const script = eventfulBuild();
  const recorder = recordRenderer("jsonl");
  recorder.play(script);
  for (const event of script.events) recorder.renderer.message({ type: "event", event });
  recorder.renderer.message({ type: "progress", progress: progressOf({}) });
  recorder.renderer.finish(script.state);
  const lines = recorder.out().trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(script.events.map((event) => ({ v: 1, ...event })));
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ type: "finished", verdict: "failed" });
  expect(recorder.err()).toBe("");
});

test("progress and logs only when asked for", () => {
  const { renderer, log, out } = recordRenderer("jsonl", { detail: "verbose", buildLogs: true });
  renderer.message({ type: "progress", progress: progressOf({ note: "fetching" }) });
  log({ text: "a\u001b[2J\u009b\n" });
  const lines = out().trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { v: 1, type: "progress", note: "fetching" },
    { v: 1, type: "log", text: "a\u001b[2J\u009b\n" },
  ]);
  expect(out()).not.toMatch(/[\u001b\u009b]/);
});

test("what comes after an interrupt is still said: a build that is cancelled has a last event too", () => {
  const { renderer, play, out } = recordRenderer("jsonl");
  const script = scriptBuild().accepted(["web01"]);
  play(script);
  renderer.interrupted();
  play(script.finished("cancelled"));
  expect(out().trimEnd().split("\n")).toHaveLength(2);
});

test("with -q only the last event", () => {
  const { out } = finishRecorded(eventfulBuild(), recordRenderer("jsonl", { detail: "quiet" }));
  expect(JSON.parse(out())).toMatchObject({ type: "finished", verdict: "failed" });
});

test("no line is a workflow command of a runner", () => {
  const { log, out } = recordRenderer("jsonl", { buildLogs: true });
  log({ text: "##[error]a ###[\n" });
  expect(JSON.parse(out())).toMatchObject({ text: "##[error]a ###[\n" });
  expect(out()).not.toContain("##[");
});
