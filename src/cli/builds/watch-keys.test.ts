import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { startRig } from "../../../test/support/builder-rig.ts";
import { createCommandContext } from "../../../test/support/command-context.ts";
import { createScreen } from "../../../test/support/screen.ts";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { aBuildId } from "../../../test/support/builds.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import type { KeyInput } from "../context.ts";
import { createStyle } from "../print/style.ts";
import { createRenderer } from "../print/create-renderer.ts";
import { createKeyActions } from "./key-actions.ts";
import { watchBuild } from "./watch-build.ts";
import { keysIn } from "./watch-keys.ts";

test("keys are told from what terminals send together, and what is no key is nothing", () => {
  expect(keysIn("jk\u001b[A\u001bOBl?q")).toEqual(["down", "up", "up", "down", "log", "help", "detach"]);
  expect(keysIn("c")).toEqual(["cancel"]);
  expect(keysIn("\u0003\u001a")).toEqual(["interrupt", "suspend"]);
  expect(keysIn("xyz\u001b[C\u001bconstructor")).toEqual([]);
});

function stage() {
  const screen = createScreen(80, 12);
  const clock = createFakeClock();
  const style = createStyle({ colour: false, ascii: false });
  const renderer = createRenderer("tty", {
    out: screen,
    err: screen,
    outStyle: style,
    errStyle: style,
    clock,
  });
  const script = scriptBuild(aBuildId())
    .accepted(["web01", "db", "nas"])
    .derivationFailed("hello-1.0", ["db"], { log: 0 })
    .hostsFinished("build-failed", ["db"], { reason: "hello-1.0 failed" });
  renderer.start(script.id);
  for (const event of script.events) renderer.message({ type: "event", event });
  const bus = createMemoryBus(clock);
  const done: string[] = [];
  const press = createKeyActions({
    reader: bus,
    renderer,
    id: script.id,
    state: () => script.state,
    now: () => clock.monotonic(),
    cancel: async () => void done.push("cancel"),
    detach: () => void done.push("detach"),
    raise: (signal) => void done.push(signal),
    signal: new AbortController().signal,
  });
  const frame = async (): Promise<string> => {
    await clock.advance(100);
    return (await screen.everything()).join("\n");
  };
  return { bus, clock, script, press, done, frame };
}

test("arrows mark a host, from the one that needs attention on, and stop at the ends", async () => {
  const { press, frame } = stage();
  press("up");
  expect(await frame()).toMatch(/✗›db/);
  press("up");
  expect(await frame()).toMatch(/✗›db/);
  press("down");
  expect(await frame()).toMatch(/·›web01/);
  for (let i = 0; i < 5; i++) press("down");
  expect(await frame()).toMatch(/·›nas/);
});

test("l shows the end of the log of the marked host, and of no other", async () => {
  const { bus, script, press, frame } = stage();
  press("log");
  expect(await frame()).toContain("No host is selected");
  const failure = script.state.failures[0];
  await bus.appendLog(
    {
      build: script.id,
      log: 0,
      index: 0,
      drvPath: failure?.drvPath ?? "",
      kind: "full",
      dropped: 0,
      text: `${Array.from({ length: 40 }, (_, line) => `line ${line}`).join("\n")}\nE: \u001b[2Jbroken\n`,
    },
    new AbortController().signal,
  );
  press("down");
  press("log");
  await expect.poll(frame).toContain("E: broken");
  expect(await frame()).not.toContain("line 20\n");
  press("down");
  press("log");
  await expect.poll(frame).toContain("No log is stored yet of what is built for nixos-servers/web01");
});

test("a single c cancels nothing", async () => {
  const { press, done, clock, frame } = stage();
  press("cancel");
  expect(await frame()).toContain("c again cancels build");
  await clock.advance(2500);
  press("cancel");
  expect(done).toEqual([]);
  press("cancel");
  expect(done).toEqual(["cancel"]);
  press("interrupt");
  press("suspend");
  press("detach");
  expect(done.slice(1)).toEqual(["SIGINT", "SIGTSTP", "detach"]);
  press("help");
  expect(await frame()).toContain("q         detach");
});

test("q detaches from a build that continues, and the terminal is as it was", async () => {
  const rig = await startRig();
  const evaluating = Promise.withResolvers<never>();
  Object.assign(rig.nix, {
    evaluate: async function* () {
      yield await evaluating.promise;
    },
  });
  const modes: boolean[] = [];
  let type: (data: Buffer) => void = () => undefined;
  const input: KeyInput = {
    setRawMode: (raw) => modes.push(raw),
    on: (_, listener) => void (type = listener),
    off: () => void (type = () => undefined),
    resume: () => undefined,
    pause: () => undefined,
  };
  const screen = createScreen();
  const { context } = createCommandContext({ input, out: screen, err: screen });
  const id = await rig.ask("homelab/all");
  const watching = watchBuild(context, rig.bus, id, { keys: true, output: "tty" });
  expect(modes).toEqual([true]);
  type(Buffer.from("q"));
  expect(await watching).toBe(130);
  expect(modes).toEqual([true, false]);
  expect((await screen.visible()).join("\n")).toContain(`Detached; build ${id} continues.`);
  evaluating.reject(new Error("over"));
  await rig.stop();
});
