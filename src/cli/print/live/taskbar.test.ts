import { expect, test } from "vitest";
import { hostRef, progressOf, sampleBuild, scriptBuild } from "../../../../test/support/build-events.ts";
import { createFakeClock } from "../../../../test/support/fake-clock.ts";
import { createRenderer } from "../create-renderer.ts";
import { plainStyle } from "../style.ts";
import { showsTaskbar } from "./taskbar.ts";

test.each([
  [{ WT_SESSION: "1" }, true],
  [{ TERM_PROGRAM: "ghostty" }, true],
  [{ TERM_PROGRAM: "iTerm.app" }, false],
  [{ ConEmuANSI: "OFF" }, false],
  [{}, false],
])("%j shows progress: %s", (environment, shows) => {
  expect(showsTaskbar(environment)).toBe(shows);
});

test.each([true, false])(
  "what is built is shown, that something failed too, and at the end it is gone: %s",
  async (taskbar) => {
    const clock = createFakeClock();
    let written = "";
    const output = {
      write: (text: string) => Boolean((written += text)),
      isTTY: true,
      columns: 80,
      rows: 24,
    };
    const renderer = createRenderer("tty", {
      out: output,
      err: output,
      outStyle: plainStyle,
      errStyle: plainStyle,
      clock,
      taskbar,
    });
    const script = scriptBuild();
    let played = 0;
    const play = (): void => {
      for (const event of script.events.slice(played)) renderer.message({ type: "event", event });
      played = script.events.length;
    };
    const frame = async (): Promise<void> => clock.advance(1100);
    renderer.start(sampleBuild);
    await frame();
    script.accepted(["web01", "nas"]).building("web01");
    play();
    renderer.message({
      type: "progress",
      progress: progressOf({ hosts: [{ ...hostRef("web01"), built: 1, toBuild: 2 }] }),
    });
    await frame();
    script.hostsFinished("build-failed", ["nas"]);
    play();
    await frame();
    script.hostsFinished("built", ["web01"]).finished("failed");
    renderer.finish(script.state);
    const states = [...written.matchAll(/\u001b\]9;4;([\d;]+)\u001b\\/g)].map(([, state]) => state);
    expect(states).toEqual(taskbar ? ["3", "1;25", "2;75", "0"] : []);
  },
);
