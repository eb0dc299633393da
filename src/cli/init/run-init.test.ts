// `init` at a terminal: what somebody types, line by line.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createCommandContext, runCommand } from "../../../test/support/command-context.ts";
import type { Context } from "../context.ts";

const test = base.extend("scratch", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "run-init-"));
  onCleanup(() => rm(directory, { recursive: true }));
  return directory;
});

/** A terminal at which somebody answers each question as soon as it is asked. */
function terminal(answers: Readonly<Record<string, string>>): {
  readonly context: Context;
  readonly asked: readonly string[];
} {
  const asked: string[] = [];
  let hear: ((data: Buffer) => void) | undefined;
  let question = "";
  const { context } = createCommandContext({
    environment: { PATH: process.env["PATH"], USER: "kai" },
    input: {
      setRawMode: () => undefined,
      on: (_, listener) => (hear = listener),
      off: () => (hear = undefined),
      resume() {
        asked.push(question);
        const about = Object.keys(answers).find((each) => question.includes(each));
        hear?.(Buffer.from(`${answers[about ?? ""] ?? ""}\n`));
      },
      pause: () => undefined,
    },
    err: { write: (text: string) => Boolean((question = text)) },
  });
  return { context, asked };
}

test("somebody at a terminal is asked, and what they answer is written", async ({ scratch }) => {
  const directory = join(scratch, "homelab");
  const { context, asked } = terminal({
    "Repos to build": "nixos=https://git.lan/nixos.git",
    "Machines that build": "cache01",
    "flake inputs": "timer",
  });
  expect(await runCommand(context, "init", "--branch", "main", "--program", "/opt/program", directory)).toBe(
    0,
  );
  expect(asked[0]).toContain("Repos to build");
  expect(asked).toHaveLength(10);
  expect(asked[1]).toContain("token");
  expect((await readdir(directory)).toSorted()).toEqual([
    "README.md",
    "admin",
    "builder-cache01",
    "dashboard-cache01",
    "install.sh",
    "nats",
    "operator-kai",
    "updater-timer",
  ]);
  const readme = await readFile(join(directory, "README.md"), "utf8");
  expect(readme).toContain("./install.sh builder-cache01");
});

test("with --yes, and for programs, nobody is asked", async ({ scratch }) => {
  for (const option of ["--yes", "--json", "--demo"]) {
    const { context, asked } = terminal({});
    const repo = ["--repo", "nixos=https://git.lan/nixos.git", "--branch", "main"];
    expect(await runCommand(context, "init", option, ...repo, join(scratch, option))).toBe(0);
    expect(asked).toEqual([]);
  }
});
