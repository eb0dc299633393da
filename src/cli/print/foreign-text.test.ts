import fc from "fast-check";
import { expect, test } from "vitest";
import { hostRef, scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { finishRecorded, nixosServers, recordRenderer } from "../../../test/support/recorded-renderer.ts";

const hostile = fc.string({
  unit: fc.constantFrom(
    "\u001b",
    "]52;c;A",
    "[2J",
    "\u0007",
    "\r",
    "\n",
    "\u202e",
    "\u009b",
    "`",
    "```",
    "|",
    "<b>",
    "\n::set-output name=a::",
    "##[error]",
    "::b6f1c0de::",
    "x",
  ),
  maxLength: 12,
});

const hostileScript = (text: string): BuildScript =>
  scriptBuild()
    .accepted(["web01", "nas"], { skipped: [{ repo: nixosServers, host: text, reason: text }] })
    .event({ type: "warning", message: text })
    .event({ type: "retrying", hosts: [hostRef("nas")], reason: text, attempt: 2, delayMs: 1 })
    .derivationFailed("linux", ["web01"], { name: text, reason: text, phase: text, tail: [text] })
    .hostsFinished("build-failed", ["web01"], { reason: text })
    .hostsFinished("eval-failed", ["nas"], { reason: text, details: text })
    .finished("failed", text);

/** What a runner takes for commands: `::` at the start, or `##[` anywhere, but for where they are stopped. */
function commandsIn(output: string, token: string): string[] {
  let stopped = false;
  return output.split("\n").filter((line) => {
    const wasStopped = stopped;
    if (line.trimStart() === `::stop-commands::${token}`) stopped = true;
    if (line.trimStart() === `::${token}::`) stopped = false;
    return !(wasStopped && stopped) && (line.trimStart().startsWith("::") || line.includes("##["));
  });
}

test("nothing from outside reaches a terminal or a runner as more than text", () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom("plain", "github"), fc.boolean(), (text, mode, colour) => {
      const recorder = recordRenderer(mode, {
        buildLogs: true,
        colour,
        showTrace: true,
        randomToken: () => "secret",
      });
      recorder.log({ text: `${text}\n`, drvPath: text });
      finishRecorded(hostileScript(text), recorder);
      const all = recorder.out() + recorder.err();
      expect(all.replace(/\u001b\[[0-9;:]*m/g, "")).not.toMatch(
        /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/,
      );
      const commands = mode === "github" ? commandsIn(recorder.out(), "secret") : [];
      for (const command of commands) {
        expect(command).toMatch(
          /^::(?:(?:stop-commands::)?secret|group::|endgroup::|error title=|warning title=)/,
        );
      }
    }),
    { numRuns: 300 },
  );
});
