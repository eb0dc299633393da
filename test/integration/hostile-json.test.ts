// What `--json` prints of texts from outside: for programs the same text, for terminals and runners nothing to act on.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { createStyle } from "../../src/cli/print/style.ts";
import { hostRef, sampleBuild, scriptBuild, storePath } from "../support/build-events.ts";
import { createCommandContext, runCommand } from "../support/command-context.ts";
import { test as base } from "../support/nats.ts";
import { connectTo } from "../support/nats-server.ts";

const hostile = "##[group]a\u009b2Jb\u202ec\u2028::error::d\u001b[2J";
const acts = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]|##\[|^\s*::/m;
const signal = new AbortController().signal;

/** `command`: with a server on which one build is over, in which every text is hostile. */
const test = base.extend("command", { scope: "file" }, async ({ natsServer }, { onCleanup }) => {
  const home = await mkdtemp(join(tmpdir(), "homelab-hostile-"));
  onCleanup(() => rm(home, { recursive: true, force: true }));
  const connection = await connectTo(natsServer);
  await setUpStreams(connection, { scale: 0.01 });
  const bus = createBuilderBus(connection);
  const log = await bus.openEventLog(sampleBuild, [], signal);
  const script = scriptBuild()
    .accepted(["web01", "nas"], {
      requestedBy: "##[group]a",
      skipped: [{ repo: hostRef("nas").repo, host: hostile, reason: hostile }],
    })
    .event({ type: "warning", message: hostile })
    .derivationFailed("linux", ["web01"], { name: hostile, reason: hostile, phase: hostile, tail: [hostile] })
    .hostsFinished("build-failed", ["web01"], { reason: hostile })
    .hostsFinished("eval-failed", ["nas"], { reason: hostile, details: hostile })
    .finished("failed", hostile);
  for (const event of script.events) await log.append(event, signal);
  const drvPath = storePath("glibc.drv");
  const text = `${hostile}\n`;
  await bus.appendLog(
    { build: sampleBuild, log: 3, index: 0, drvPath, kind: "live", dropped: 0, text },
    signal,
  );
  await connection.close();
  const style = createStyle({ colour: false, ascii: false, inRunner: true });
  return async (...args: string[]) => {
    const { context, said } = createCommandContext({
      options: { server: [natsServer.url] },
      environment: { HOME: home },
      outStyle: style,
      errStyle: style,
    });
    await runCommand(context, ...args);
    return said;
  };
});

test.for([
  "builds list --json",
  "builds show last --json",
  "hosts --json",
  "logs last --json",
  "logs last --follow --json",
])("%s", async (line, { command }) => {
  const { stdout } = await command(...line.split(" "));
  expect(stdout).not.toMatch(acts);
  const documents = line.startsWith("logs") ? stdout.trim().split("\n") : [stdout];
  const values = documents.map((document): unknown => JSON.parse(document));
  expect(JSON.stringify(values)).toContain(JSON.stringify(hostile).slice(1, -1));
});

test.for(["builds list", "builds show last --show-trace", "hosts"])(
  "%s in a runner",
  async (line, { command }) => {
    const { stdout, stderr } = await command(...line.split(" "));
    expect(stdout + stderr).not.toMatch(acts);
  },
);

const program = join(import.meta.dirname, "../../src/cli/main.ts");

test("a configuration with hostile names, and an error that names one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-hostile-"));
  const run = async (...args: string[]): Promise<string> =>
    new Promise((resolve) => {
      execFile(process.execPath, [program, ...args], (_, stdout) => resolve(stdout));
    });
  try {
    const file = join(directory, "config.json");
    await writeFile(file, JSON.stringify({ [hostile]: hostile, repos: { [hostile]: { url: hostile } } }));
    const answers = [
      await run("config", "check", file, "--json"),
      await run("config", "check", join(directory, hostile), "--json"),
      await run("hosts", "--config", join(directory, hostile), "--json"),
      await run("inputs", "--config", file, "--json"),
      await run("update", "--config", file, "--json"),
      await run("doctor", "--config", file, "--json"),
      await run("cache", "status", "--config", file, "--json"),
    ];
    for (const stdout of answers) {
      expect(stdout).not.toMatch(acts);
      expect(JSON.parse(stdout)).toBeTypeOf("object");
    }
    expect(answers.filter((stdout) => stdout.includes("group]"))).not.toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
